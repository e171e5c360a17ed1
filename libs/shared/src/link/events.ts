import { z } from 'zod';

export const TURN_END_STATUSES = ['complete', 'failed', 'cancelled', 'interrupted'] as const;

export const Usage = z.object({
  tokensIn: z.number().int().min(0),
  tokensOut: z.number().int().min(0),
  costUsd: z.number().min(0).optional(),
  model: z.string().optional(),
});
export type Usage = z.infer<typeof Usage>;

const text = z.object({ text: z.string() });

/** The agent's own output, kept apart from the typed events: inline while small, else as a blob. */
export const RawOutput = z.object({
  format: z.string(),
  content: z.string().optional(),
  blobId: z.string().optional(),
});
export type RawOutput = z.infer<typeof RawOutput>;

export const TurnCompleted = z.object({
  status: z.enum(TURN_END_STATUSES),
  /** end_turn, max_turns, timeout, aborted, agent_error, exception, process_exited, harness_lost, … */
  stopReason: z.string().max(200),
  usage: Usage.optional(),
  /** Files the turn created or changed, relative to the workspace. */
  artifacts: z.array(z.string()).default([]),
  error: z.object({ message: z.string(), stderrTail: z.string().optional() }).optional(),
  raw: RawOutput.optional(),
  /** Written by the controller because the harness could not. */
  synthetic: z.boolean().optional(),
});
export type TurnCompleted = z.infer<typeof TurnCompleted>;

/** Data of each event type a harness may push. */
export const HARNESS_EVENTS = {
  text,
  thinking: text,
  tool_call: z.object({ id: z.string(), name: z.string(), input: z.unknown() }),
  tool_result: z.object({ id: z.string(), output: z.unknown(), isError: z.boolean().default(false) }),
  plan: z.object({ entries: z.array(z.object({ text: z.string(), status: z.string() })) }),
  diff: z.object({ path: z.string(), diff: z.string() }),
  console: z.object({
    level: z.enum(['log', 'info', 'warn', 'error', 'debug']),
    text: z.string(),
    /** The line was too long for one event and goes on in the next. */
    continues: z.boolean().optional(),
  }),
  value: z.object({ text: z.string(), type: z.string().optional(), json: z.unknown().optional() }),
  exception: z.object({ name: z.string(), message: z.string(), stack: z.string().optional() }),
  stdout: text,
  stderr: text,
  'interaction.requested': z.object({ interactionId: z.string(), kind: z.string(), request: z.unknown() }),
  'interaction.resolved': z.object({ interactionId: z.string(), outcome: z.string() }),
  usage: Usage,
  'file.changed': z.object({ path: z.string(), action: z.enum(['created', 'modified', 'deleted']) }),
  log: z.object({ level: z.enum(['debug', 'info', 'warn', 'error']), message: z.string() }),
  'turn.completed': TurnCompleted,
} as const;

export type HarnessEventType = keyof typeof HARNESS_EVENTS;
export type HarnessEventData<T extends HarnessEventType> = z.input<(typeof HARNESS_EVENTS)[T]>;

/** Types only the controller writes. */
export const CONTROLLER_EVENT_TYPES = [
  'turn.queued',
  'turn.started',
  'turn.stalled',
  'session.state',
  'harness.connected',
  'harness.lost',
  'operation',
] as const;

/** In place of data above 64 KiB: what it starts with and where the whole is; `id`, `name` and `isError` stay beside it. */
export const BlobReference = z.object({
  preview: z.string(),
  sizeBytes: z.number().int(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  blobId: z.string(),
});
export type BlobReference = z.infer<typeof BlobReference>;

/** One event on its way from the harness; `n` rises by exactly 1 per (session, incarnation), from 1. */
export const EventItem = z.object({
  n: z.number().int().min(1),
  at: z.string().max(40),
  turnId: z.string().max(64).optional(),
  generation: z.number().int().optional(),
  type: z.string().min(1).max(64),
  data: z.record(z.string(), z.unknown()),
});
export type EventItem = z.infer<typeof EventItem>;

/** One entry of a session's event log as clients see it; `seq` counts from 1 for the life of the session. */
export interface SessionLogEvent {
  seq: number;
  at: string;
  type: string;
  turnId?: string;
  data: Record<string, unknown>;
}
