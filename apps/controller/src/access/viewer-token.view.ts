import { type ViewerTokenView } from '@reins/shared/api/access';
import { type ViewerTokenDocument } from './viewer-token.schema';

/** A token as lists show it: without its value and its hash. */
export function toViewerTokenView(token: ViewerTokenDocument): ViewerTokenView {
  return {
    id: token._id,
    sessionId: token.sessionId,
    createdBy: token.createdBy,
    createdAt: token.createdAt.toISOString(),
    expiresAt: token.expiresAt.toISOString(),
    revokedAt: token.revokedAt?.toISOString() ?? null,
  };
}
