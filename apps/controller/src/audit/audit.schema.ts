import { Schema } from 'mongoose';
import { type TenantDocument } from '../database/tenant.repository';

/** One change somebody made. */
export interface AuditDocument extends TenantDocument {
  at: Date;
  /** Who, as people read it: a token's `username`, `user:…`, `key:…`, `agent:…` or `controller`. */
  actor: string;
  /** Who, without a doubt: kind and id; null where no request was made for it. */
  principal: string | null;
  /** What, as `<noun>.<past participle>`, for example `instruction.updated`. */
  action: string;
  target: { type: string; id: string };
  /** The changed fields, secrets masked; null where there was nothing before or is nothing after. */
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  correlationId: string | null;
  /** When it is forgotten. */
  expiresAt: Date;
}

export const AUDIT = 'Audit';

const nullableObject = { type: Schema.Types.Mixed, default: null };

export const auditSchema = new Schema<AuditDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    at: { type: Date, required: true },
    actor: { type: String, required: true },
    principal: { type: String, default: null },
    action: { type: String, required: true },
    target: {
      type: new Schema(
        { type: { type: String, required: true }, id: { type: String, required: true } },
        { _id: false },
      ),
      required: true,
    },
    before: nullableObject,
    after: nullableObject,
    correlationId: { type: String, default: null },
    expiresAt: { type: Date, required: true },
  },
  { versionKey: false, minimize: false, collection: 'audit' },
);

// Serves the list: newest first.
auditSchema.index({ orgId: 1, _id: -1 });
// Serves the history of one thing.
auditSchema.index({ orgId: 1, 'target.id': 1, _id: -1 });
// Removes entries whose time has come.
auditSchema.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });
