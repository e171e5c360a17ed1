import { type Command, type CommandLane } from '@reins/shared/link/frames';
import { Schema } from 'mongoose';
import { type TenantDocument } from '../database/tenant.repository';

/** One instruction to a harness, kept until it is applied. `_id` is the session, the lane and the number. */
export interface CommandDocument extends TenantDocument {
  sessionId: string;
  lane: CommandLane;
  n: number;
  type: Command['type'];
  body: Record<string, unknown>;
  createdAt: Date;
  ackedAt: Date | null;
  ok: boolean | null;
  result: unknown;
  error: { code: string; message: string } | null;
}

export const COMMAND = 'Command';

export const commandSchema = new Schema<CommandDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    sessionId: { type: String, required: true },
    lane: { type: String, required: true },
    n: { type: Number, required: true },
    type: { type: String, required: true },
    body: { type: Schema.Types.Mixed, required: true },
    createdAt: { type: Date, required: true },
    ackedAt: { type: Date, default: null },
    ok: { type: Boolean, default: null },
    result: Schema.Types.Mixed,
    error: { type: Schema.Types.Mixed, default: null },
  },
  { versionKey: false, minimize: false, collection: 'commands' },
);

// Serves delivery: what a session's harness has not applied yet, in order.
commandSchema.index({ sessionId: 1, ackedAt: 1, n: 1 });
// Serves the clean-up: applied commands are of no use after a week.
commandSchema.index({ ackedAt: 1 }, { expireAfterSeconds: 7 * 86_400, name: 'applied_expire' });
