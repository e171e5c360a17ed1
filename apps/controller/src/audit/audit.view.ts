import { type AuditView } from '@reins/shared/api/audit';
import { type AuditDocument } from './audit.schema';

/** An entry of the trail, as it was stored. */
export function toAuditView({ _id, at, actor, principal, action, target, ...rest }: AuditDocument): AuditView {
  const { before, after, correlationId } = rest;
  const { type, id } = target;
  return {
    id: _id,
    at: at.toISOString(),
    actor,
    principal: principal ?? null,
    action,
    target: { type, id },
    before,
    after,
    correlationId,
  };
}
