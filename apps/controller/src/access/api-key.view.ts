import { type ApiKeyView } from '@reins/shared/api/access';
import { type ApiKeyDocument } from './api-key.schema';

/** A key as lists show it: without its value and its hash. */
export function toApiKeyView(key: ApiKeyDocument): ApiKeyView {
  return {
    id: key._id,
    name: key.name,
    prefix: key.prefix,
    roles: key.roles,
    scopes: key.scopes ?? ['*'],
    createdBy: key.createdBy,
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
  };
}
