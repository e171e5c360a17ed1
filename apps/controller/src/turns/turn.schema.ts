import { type TurnState } from '@reins/shared/state';
import { Schema } from 'mongoose';
import { type TenantDocument } from '../database/tenant.repository';

export interface TurnResult {
  response: string;
  stopReason: string;
  tokensIn: number;
  tokensOut: number;
  costUsd: number | null;
  model: string | null;
  artifacts: string[];
  error: { message: string; stderrTail?: string } | null;
  raw: { format: string; content: string | null; blobId: string | null } | null;
}

/** The last words of a turn, as they go into the log. Kept until the log has them, so that a crash cannot lose them. */
export interface TerminalEvent {
  at: string;
  data: Record<string, unknown>;
}

/** One prompt and its result. `_id` is the public requestId. */
export interface TurnDocument extends TenantDocument {
  sessionId: string;
  lane: string;
  /** Place in the queue; rises with every prompt. */
  order: number;
  status: TurnState;
  /** True while it holds its lane (leased or running). */
  live?: boolean;
  /** Rises with every lease and every taking away: whoever acts under an older one is fenced. */
  generation: number;
  attempt: number;
  agentId: string | null;
  incarnation: string | null;
  leaseUntil: Date | null;
  startBy: Date | null;
  cliType: string;
  prompt: string;
  breadcrumbs: string[];
  timeoutMs: number;
  turnIdleMs: number;
  onInterrupt: 'hold' | 'resume' | 'restart';
  actor: string;
  /** The log's last number when the turn was made: all its events come after. */
  afterSeq: number;
  createdAt: Date;
  startedAt: Date | null;
  completedAt: Date | null;
  cancelRequestedAt: Date | null;
  stalledAt: Date | null;
  result: TurnResult | null;
  /** Present from the terminal transition until the log has the terminal event. */
  terminal?: TerminalEvent;
}

export const TURN = 'Turn';

const nullable = <T>(type: T) => ({ type, default: null });

export const turnSchema = new Schema<TurnDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    sessionId: { type: String, required: true },
    lane: { type: String, required: true },
    order: { type: Number, required: true },
    status: { type: String, required: true },
    live: Boolean,
    generation: { type: Number, required: true },
    attempt: { type: Number, required: true },
    agentId: nullable(String),
    incarnation: nullable(String),
    leaseUntil: nullable(Date),
    startBy: nullable(Date),
    cliType: { type: String, required: true },
    prompt: { type: String, required: true },
    breadcrumbs: { type: [String], default: [] },
    timeoutMs: { type: Number, required: true },
    turnIdleMs: { type: Number, required: true },
    onInterrupt: { type: String, required: true },
    actor: { type: String, required: true },
    afterSeq: { type: Number, required: true },
    createdAt: { type: Date, required: true },
    startedAt: nullable(Date),
    completedAt: nullable(Date),
    cancelRequestedAt: nullable(Date),
    stalledAt: nullable(Date),
    result: nullable(Schema.Types.Mixed),
    terminal: Schema.Types.Mixed,
  },
  { versionKey: false, minimize: false, collection: 'turns' },
);

// Serves the pull (oldest queued turn of a session) and the queue a cancel empties.
turnSchema.index({ sessionId: 1, status: 1, order: 1 });
// Serves telemetry: a session's turns, newest first.
turnSchema.index({ sessionId: 1, order: -1 });
// One live turn a lane; also serves the look-up of a session's live turns.
turnSchema.index(
  { sessionId: 1, lane: 1 },
  { unique: true, partialFilterExpression: { live: true }, name: 'one_live_turn_per_lane' },
);
// Serves the watch over leases, late starts and cancels: only live turns are in it.
turnSchema.index({ leaseUntil: 1 }, { partialFilterExpression: { live: true }, name: 'live_by_lease' });
// Serves the repair after a crash: turns whose terminal event the log may lack.
turnSchema.index(
  { completedAt: 1 },
  { partialFilterExpression: { terminal: { $exists: true } }, name: 'terminal_unlogged' },
);
