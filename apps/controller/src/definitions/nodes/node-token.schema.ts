import { Schema } from 'mongoose';
import { type TenantDocument } from '../../database/tenant.repository';

/** A token a node was given. Its id is in the signed token; the token itself is not stored. */
export interface NodeTokenDocument extends TenantDocument {
  nodeId: string;
  createdBy: string;
  createdAt: Date;
  expiresAt: Date;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
}

export const NODE_TOKEN = 'NodeToken';

/** How long an expired one is still listed. */
const LISTED_AFTER_SECONDS = 7 * 86_400;

export const nodeTokenSchema = new Schema<NodeTokenDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    nodeId: { type: String, required: true },
    createdBy: { type: String, required: true },
    createdAt: { type: Date, required: true },
    expiresAt: { type: Date, required: true },
    lastUsedAt: { type: Date, default: null },
    revokedAt: { type: Date, default: null },
  },
  { versionKey: false, collection: 'node_tokens' },
);

// The check of every request goes by `_id`.
// Serves the list of a node's tokens (newest first), and ending them all with the node.
nodeTokenSchema.index({ orgId: 1, nodeId: 1, createdAt: -1, _id: -1 });
// Removes those that expired a while ago.
nodeTokenSchema.index({ expiresAt: 1 }, { expireAfterSeconds: LISTED_AFTER_SECONDS });
