import { Schema } from 'mongoose';
import { type TenantDocument } from '../database/tenant.repository';

/** Refuses what an identity service outside has issued: of one user, or of all users of the organisation. */
export interface TokenRevocationDocument extends TenantDocument {
  /** Null: all users. */
  userId: string | null;
  /** Tokens issued up to here are refused. */
  issuedUpTo: Date;
  createdBy: string;
  createdAt: Date;
}

export const TOKEN_REVOCATION = 'TokenRevocation';

export const tokenRevocationSchema = new Schema<TokenRevocationDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    userId: { type: String, default: null },
    issuedUpTo: { type: Date, required: true },
    createdBy: { type: String, required: true },
    createdAt: { type: Date, required: true },
  },
  { versionKey: false, collection: 'token_revocations' },
);

// One for a user: a later one replaces it, so that the list in memory stays as short as the list of users.
tokenRevocationSchema.index({ orgId: 1, userId: 1 }, { unique: true });
// Serves the list: newest first.
tokenRevocationSchema.index({ orgId: 1, _id: -1 });
