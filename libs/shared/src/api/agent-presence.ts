import { z } from 'zod';
import { idPattern } from '../ids';
import { MAX_PAGE } from './common';

export const AGENT_EVENT_TYPES = ['online', 'offline', 'conflict', 'locked_out', 'superseded'] as const;
export type AgentEventType = (typeof AGENT_EVENT_TYPES)[number];

export const PRESENCE_REASONS = [
  /** Online: an accepted connect, a beat after silence, a socket that came back. */
  'connected',
  'heartbeat',
  'socket_opened',
  /** Offline: it said goodbye, was silent for too long, its socket did not come back, or it lost its right to be there. */
  'disconnected',
  'missed_beats',
  'socket_closed',
  'revoked',
  'suspended',
  'deleted',
  'ended',
] as const;
export type PresenceReason = (typeof PRESENCE_REASONS)[number];

/** Something that happened to an agent's presence. */
export interface AgentEventView {
  /** Sorts by time; the `id:` of the event on the stream and what `Last-Event-ID` takes. */
  id: string;
  agentId: string;
  type: AgentEventType;
  /** Of `online` and `offline`: why. */
  reason: PresenceReason | null;
  at: string;
  /** `superseded`: `{incarnation, by}`; `conflict`: `{incarnation}`; `locked_out`: `{address, retryAfterSeconds}`. */
  details: Record<string, unknown>;
}

/** Newest first. `nextCursor` is null on the last page. */
export interface AgentEventPage {
  items: AgentEventView[];
  nextCursor: string | null;
}

const limit = z.coerce.number().int().min(1).max(MAX_PAGE).default(50);
const eventId = z.string().regex(idPattern('agentEvent'), 'must be the id of an event');

export const AgentEventsQuery = z.object({ limit, cursor: eventId.optional() });
export type AgentEventsQuery = z.infer<typeof AgentEventsQuery>;

/** Where a stream of events begins: after this event, or with what happens from now on. */
export const AgentEventCursor = eventId.optional();

const time = z.iso.datetime({ offset: true, error: 'must be a time such as 2026-01-31T12:00:00Z' });

export const AgentMetricsQuery = z.object({
  from: time.optional(),
  to: time.optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.iso.datetime().optional(),
});
export type AgentMetricsQuery = z.infer<typeof AgentMetricsQuery>;

/** What one heartbeat said; at most one a minute is kept. */
export interface AgentMetricsView {
  at: string;
  status: string;
  metrics: Record<string, unknown>;
}

/** Newest first. `nextCursor` is null on the last page. */
export interface AgentMetricsPage {
  items: AgentMetricsView[];
  nextCursor: string | null;
}

/** The guide's `{success}` and what AIWM planned beside it. */
export interface HeartbeatResponse {
  success: true;
  acknowledged: true;
  /** Seconds until the next beat is due. */
  nextHeartbeat: number;
  /** Another one than the agent has: `GET /agents/:id/config` tells what changed. */
  configVersion: string;
}
