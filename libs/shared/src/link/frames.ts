import { z } from 'zod';
import { type SessionDescriptor } from './connect';
import { EventItem } from './events';

const id = z.string().min(1).max(64);
const cursor = z.number().int().min(0);

/** The last command of each lane a harness has applied. */
export const CommandCursor = z.object({ main: cursor, abort: cursor });
export type CommandCursor = z.infer<typeof CommandCursor>;

export const COMMAND_LANES = ['main', 'abort'] as const;
export type CommandLane = (typeof COMMAND_LANES)[number];

/** An ordered, idempotent instruction to the harness; `n` counts from 1 per (session, lane). */
export const Command = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('abort'),
    sessionId: id,
    lane: z.enum(COMMAND_LANES),
    n: z.number().int().min(1),
    body: z.object({ turnId: id, reason: z.string() }),
  }),
  z.object({
    type: z.literal('end'),
    sessionId: id,
    lane: z.enum(COMMAND_LANES),
    n: z.number().int().min(1),
    body: z.object({ deadlineMs: z.number().int() }),
  }),
]);
export type Command = z.infer<typeof Command>;

export const LiveTurn = z.object({
  turnId: id,
  generation: z.number().int(),
  state: z.enum(['leased', 'running']),
  cliSessionId: z.string().max(200).optional(),
});
export type LiveTurn = z.infer<typeof LiveTurn>;

/** First frame after every connect: what the harness still has, so that both sides agree before anything moves. */
export const Hello = z.object({
  bootAt: z.string().max(40),
  harness: z.object({
    version: z.string().max(64),
    capabilities: z.array(z.string().max(64)).max(64),
    /** What the controller must be able to do for this harness to be of use. One it does not know ends the link. */
    requires: z.array(z.string().max(64)).max(64).optional(),
  }),
  slots: cursor,
  sessions: z
    .array(
      z.object({
        sessionId: id,
        /** `next`: the number of the next new event; `spooledFrom`: the oldest event it can still send. */
        out: z.object({ next: z.number().int().min(1), spooledFrom: z.number().int().min(1) }),
        lastCommand: CommandCursor,
        turns: z.array(LiveTurn).max(256),
      }),
    )
    .max(10_000),
});
export type Hello = z.infer<typeof Hello>;

export interface Welcome {
  resume: 'ok' | 'reset' | 'superseded';
  sessions: {
    sessionId: string;
    /** The last event number that is durable; the harness resends from the next one. */
    acked: number;
    /** How far the last process of this session's harness came, where it was another one. */
    before?: { incarnation: string; acked: number };
    session: SessionDescriptor;
    turns: { turnId: string; generation: number; verdict: 'continue' | 'abandon' }[];
  }[];
  limits: { frameBytes: number; batchBytes: number; batchEvents: number; inlineBytes: number };
  credit: number;
  /** The controller is leaving: do not pull. */
  drain: boolean;
}

export const Ready = z.object({ sessionId: id, timings: z.record(z.string(), z.number()) });
export type Ready = z.infer<typeof Ready>;

/** The workspace of a bound session could not be made; the harness lives on and has dropped the session. */
export const SessionFailed = z.object({ sessionId: id, message: z.string().max(4000) });
export type SessionFailed = z.infer<typeof SessionFailed>;

export const TurnPull = z.object({ sessions: z.array(id).max(10_000), slots: cursor });
export type TurnPull = z.infer<typeof TurnPull>;

export const PulledTurn = z.object({
  turnId: id,
  sessionId: id,
  generation: z.number().int(),
  subsessionId: z.string().optional(),
  /** Empty where `promptUrl` is given: a prompt above 64 KiB is fetched over HTTP with the agent's token. */
  prompt: z.string(),
  promptUrl: z.string().optional(),
  breadcrumbs: z.array(z.string()).optional(),
  timeoutMs: z.number().int().optional(),
  leaseUntil: z.string(),
  startBy: z.string(),
});
export type PulledTurn = z.infer<typeof PulledTurn>;

export type TurnPullAck = { turn: PulledTurn } | { none: true; retryAfterMs: number };

export const TurnReport = z.object({
  sessionId: id,
  turnId: id,
  generation: z.number().int(),
  cliSessionId: z.string().max(200).optional(),
  reason: z.string().max(1000).optional(),
});
/** Body of `turn.started` and `turn.lost`. */
export type TurnReport = z.infer<typeof TurnReport>;
export type TurnReportAck = { ok: true } | { fenced: true };

export const HARNESS_STATUSES = ['online', 'busy', 'idle'] as const;

export const Heartbeat = z.object({
  status: z.enum(HARNESS_STATUSES),
  metrics: z.record(z.string(), z.unknown()),
  alive: z.literal(true),
  turns: z
    .array(
      z.object({
        sessionId: id,
        turnId: id,
        generation: z.number().int(),
        progress: z.object({
          lastOutputAt: z.string().max(40).nullable(),
          pid: z.number().int().optional(),
          state: z.string().max(64),
        }),
      }),
    )
    .max(10_000),
  lastCommand: z.record(id, CommandCursor),
  configVersion: z.string().max(128),
});
export type Heartbeat = z.infer<typeof Heartbeat>;

export interface HeartbeatAck {
  leases: ({ turnId: string; generation: number; leaseUntil: string } | { turnId: string; fenced: true })[];
  credit: number;
  commands: Command[];
  configVersion: string;
}

export const EventsPush = z.object({
  sessionId: id,
  from: z.number().int().min(1),
  items: z.array(EventItem).min(1).max(1024),
});
export type EventsPush = z.infer<typeof EventsPush>;

export type EventsAck =
  /** Everything up to `acked` is durable or given up. `fenced`: events of these turns were refused; drop the turns. */
  | { acked: number; credit: number; fenced?: string[] }
  /** A gap: send again from this number. */
  | { expect: number };

export const CommandsPull = z.object({ sessionId: id, after: CommandCursor });
export type CommandsPull = z.infer<typeof CommandsPull>;

export const CommandAck = z.object({
  sessionId: id,
  lane: z.enum(COMMAND_LANES),
  n: z.number().int().min(1),
  ok: z.boolean(),
  result: z.unknown().optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type CommandAck = z.infer<typeof CommandAck>;

export const Draining = z.object({ reason: z.string().max(200), deadlineMs: z.number().int().optional() });
export type Draining = z.infer<typeof Draining>;

/** Gives the harness a session; of one it has already, its new definition. */
export interface Bind {
  session: SessionDescriptor;
}
/** Takes it away: the agent is stopped, events that are left are sent, then it is acked. */
export interface Unbind {
  sessionId: string;
  reason: string;
  /** The session has ended for good: its folder goes too, unless its work could not be saved. */
  remove?: boolean;
}

export const BYE_REASONS = ['superseded', 'reauth', 'unsupported', 'ended', 'revoked'] as const;
export type ByeReason = (typeof BYE_REASONS)[number];

/** Any request may be answered with this instead of its own ack. */
export interface LinkErrorAck {
  error: { code: string; message: string; retryAfterMs?: number };
}

/** Handshake `auth` of the socket; the incarnation holds for the life of the connection. */
export const LinkAuth = z.object({
  token: z.string().min(1),
  incarnation: z.string().min(1).max(128),
  protocol: z.number().int(),
});
export type LinkAuth = z.infer<typeof LinkAuth>;
