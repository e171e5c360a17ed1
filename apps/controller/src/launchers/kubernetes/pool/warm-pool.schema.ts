import { Schema } from 'mongoose';
import { type TenantDocument } from '../../../database/tenant.repository';

/** How it goes with the warm pods of a runtime; `_id` is the runtime's. */
export interface WarmPoolDocument extends TenantDocument {
  /** What they are made like; a change of it is a new beginning. */
  key: string;
  /** In a row. */
  failures: number;
  notBefore: Date | null;
  lastError: { code: string; message: string; at: Date } | null;
}

export const WARM_POOL = 'WarmPool';

export const warmPoolSchema = new Schema<WarmPoolDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    key: { type: String, required: true },
    failures: { type: Number, required: true },
    notBefore: { type: Date, default: null },
    lastError: { type: { code: String, message: String, at: Date }, default: null, _id: false },
  },
  { versionKey: false, collection: 'warm_pools' },
);
