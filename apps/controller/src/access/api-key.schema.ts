import { type AccessScope } from '@reins/shared/api/access';
import { Schema } from 'mongoose';
import { type TenantDocument } from '../database/tenant.repository';

export interface ApiKeyDocument extends TenantDocument {
  name: string;
  /** SHA-256 of the whole key: it is 256 random bits, which need no slow hash. */
  hash: string;
  prefix: string;
  roles: string[];
  /** Keys made before there were scopes have none stored: everything. */
  scopes?: AccessScope[];
  createdBy: string;
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
}

export const API_KEY = 'ApiKey';

export const apiKeySchema = new Schema<ApiKeyDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    name: { type: String, required: true },
    hash: { type: String, required: true },
    prefix: { type: String, required: true },
    roles: [String],
    scopes: { type: [String], default: undefined },
    createdBy: { type: String, required: true },
    createdAt: { type: Date, required: true },
    expiresAt: { type: Date, default: null },
    lastUsedAt: { type: Date, default: null },
    revokedAt: { type: Date, default: null },
  },
  { versionKey: false, collection: 'api_keys' },
);

// Serves the check of every request that comes with a key.
apiKeySchema.index({ hash: 1 }, { unique: true });
// Serves the list: newest first.
apiKeySchema.index({ orgId: 1, _id: -1 });
