import { type NodeTokenView } from '@reins/shared/api/nodes';
import { type NodeTokenDocument } from './node-token.schema';

export function toNodeTokenView(token: NodeTokenDocument): NodeTokenView {
  const { _id, createdBy, createdAt, expiresAt, lastUsedAt, revokedAt } = token;
  return {
    id: _id,
    createdBy,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
    revokedAt: revokedAt?.toISOString() ?? null,
  };
}
