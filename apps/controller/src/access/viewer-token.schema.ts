import { Schema } from 'mongoose';
import { type TenantDocument } from '../database/tenant.repository';

/** Shows one session to whoever has it. */
export interface ViewerTokenDocument extends TenantDocument {
  sessionId: string;
  /** SHA-256 of the whole token. */
  hash: string;
  createdBy: string;
  createdAt: Date;
  expiresAt: Date;
  revokedAt: Date | null;
}

export const VIEWER_TOKEN = 'ViewerToken';

/** How long an expired one is still listed. */
const LISTED_AFTER_SECONDS = 7 * 86_400;

export const viewerTokenSchema = new Schema<ViewerTokenDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    sessionId: { type: String, required: true },
    hash: { type: String, required: true },
    createdBy: { type: String, required: true },
    createdAt: { type: Date, required: true },
    expiresAt: { type: Date, required: true },
    revokedAt: { type: Date, default: null },
  },
  { versionKey: false, collection: 'viewer_tokens' },
);

// Serves the check of every request that comes with one.
viewerTokenSchema.index({ hash: 1 }, { unique: true });
// Serves the list of a session's tokens: newest first.
viewerTokenSchema.index({ orgId: 1, sessionId: 1, _id: -1 });
// Removes those that expired a while ago.
viewerTokenSchema.index({ expiresAt: 1 }, { expireAfterSeconds: LISTED_AFTER_SECONDS });
