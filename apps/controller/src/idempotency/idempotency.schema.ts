import { Schema } from 'mongoose';
import { type TenantDocument } from '../database/tenant.repository';

/** One Idempotency-Key in one place (`_id` is the place and the key): what was asked and what came of it. */
export interface IdempotencyDocument extends TenantDocument {
  bodyHash: string;
  /** Id of the turn or session the first request made. Reserved before it exists. */
  resultId: string;
  expireAt: Date;
}

export const IDEMPOTENCY = 'IdempotencyKey';

export const idempotencySchema = new Schema<IdempotencyDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    bodyHash: { type: String, required: true },
    resultId: { type: String, required: true },
    expireAt: { type: Date, required: true },
  },
  { versionKey: false, collection: 'idempotency_keys' },
);

// Serves the expiry: a key is forgotten IDEMPOTENCY_HOURS after its first use.
idempotencySchema.index({ expireAt: 1 }, { expireAfterSeconds: 0 });
