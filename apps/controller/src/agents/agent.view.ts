import { type AgentView } from '@reins/shared/api/agents';
import { type AgentDocument } from './agent.schema';
import { maskSecrets } from '../common/mask-secrets';

/** How long a conflict is shown after it was noticed last. */
const CONFLICT_SHOWN_MS = 600_000;

/** An agent as the API shows it. Field by field, so that nothing stored is shown by accident. */
export function toAgentView(agent: AgentDocument, now = Date.now()): AgentView {
  const { instructionId, guardrailId, nodeId, sessionId } = agent;
  return {
    _id: agent._id,
    name: agent.name,
    description: agent.description,
    status: agent.status,
    type: agent.type,
    role: agent.role,
    ...(instructionId !== undefined && { instructionId }),
    ...(guardrailId !== undefined && { guardrailId }),
    ...(nodeId !== undefined && { nodeId }),
    tags: agent.tags,
    allowedToolIds: agent.allowedToolIds,
    settings: maskSecrets(agent.settings),
    owner: { orgId: agent.orgId, userId: agent.userId },
    createdBy: agent.createdBy,
    updatedBy: agent.updatedBy,
    ...(sessionId !== undefined && { sessionId }),
    labels: agent.labels,
    acceptsSessions: agent.acceptsSessions,
    boundSessions: agent.boundSessions,
    supportedTypes: agent.harness?.supportedTypes ?? null,
    capacity: agent.harness?.capacity ?? null,
    ...(agent.enrollmentId !== undefined && { enrollmentId: agent.enrollmentId }),
    rotationRequestedAt: agent.rotationRequestedAt?.toISOString() ?? null,
    connected: agent.online,
    warnings: warningsOf(agent, now),
    connectionCount: agent.connectionCount,
    lastConnectedAt: agent.lastConnectedAt?.toISOString() ?? null,
    lastHeartbeatAt: agent.lastHeartbeatAt?.toISOString() ?? null,
    heartbeat: agent.heartbeat,
    configVersion: agent.configVersion,
    createdAt: agent.createdAt.toISOString(),
    updatedAt: agent.updatedAt.toISOString(),
  };
}

function warningsOf({ conflictAt }: AgentDocument, now: number): AgentView['warnings'] {
  return conflictAt !== undefined && conflictAt.getTime() > now - CONFLICT_SHOWN_MS ? ['conflict'] : [];
}

/** What of an agent is somebody's decision, settings in clear: the trail masks them when it has seen what differs. */
export function toAgentAuditView(agent: AgentDocument): object {
  const { name, description, status, type, role, instructionId, guardrailId, nodeId } = agent;
  const { tags, allowedToolIds, settings, labels, acceptsSessions } = agent;
  const references = { instructionId, guardrailId, nodeId };
  return {
    name,
    description,
    status,
    type,
    role,
    ...references,
    tags,
    allowedToolIds,
    settings,
    labels,
    acceptsSessions,
  };
}
