import { type EnrollmentTokenView } from '@reins/shared/api/enrollment';
import { maskSecrets } from '../common/mask-secrets';
import { type EnrollmentTokenDocument } from './enrollment-token.schema';

/** A token as lists and the audit trail show it: without its value and its hash. */
export function toEnrollmentTokenView(token: EnrollmentTokenDocument): EnrollmentTokenView {
  return {
    id: token._id,
    name: token.name,
    prefix: token.prefix,
    labels: token.labels,
    role: token.role,
    instructionId: token.instructionId ?? null,
    allowedToolIds: token.allowedToolIds,
    settings: maskSecrets(token.settings),
    tags: token.tags,
    nameTemplate: token.nameTemplate,
    maxUses: token.maxUses,
    uses: token.uses,
    createdBy: token.createdBy,
    createdAt: token.createdAt.toISOString(),
    expiresAt: token.expiresAt.toISOString(),
    lastUsedAt: token.lastUsedAt?.toISOString() ?? null,
    revokedAt: token.revokedAt?.toISOString() ?? null,
  };
}
