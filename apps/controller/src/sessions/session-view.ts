import { type SessionView } from '@reins/shared/api/sessions';
import { redactRepositoryUrl } from '../definitions/repository-url';
import { type SessionDocument } from './session.schema';

export function toSessionView(session: SessionDocument): SessionView {
  const { statusReason } = session;
  return {
    id: session._id,
    workerId: session.workerId,
    agentId: session.agentId,
    launcher: session.launcher ?? 'process',
    placement: session.placement ?? null,
    status: session.status,
    phase: session.phase,
    statusReason: statusReason === null ? null : { ...statusReason, at: statusReason.at.toISOString() },
    repository:
      session.repository === null ? null : { ...session.repository, url: redactRepositoryUrl(session.repository.url) },
    breadcrumbs: session.breadcrumbs,
    createdAt: session.createdAt.toISOString(),
    lastActivityAt: session.lastActivityAt?.toISOString() ?? null,
    expiresAt: session.expiresAt.toISOString(),
    endedAt: session.endedAt?.toISOString() ?? null,
  };
}
