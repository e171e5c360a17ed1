import { type AgentView } from '@reins/shared/api/agents';
import { type AgentDocument } from './agent.schema';
import { maskSecrets } from '../common/mask-secrets';

/** Three beats of an HTTP client, which beats once a minute: longer silence means it is gone. */
const SILENT_AFTER_MS = 180_000;

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
    connected: isConnected(agent, now),
    connectionCount: agent.connectionCount,
    lastConnectedAt: agent.lastConnectedAt?.toISOString() ?? null,
    lastHeartbeatAt: agent.lastHeartbeatAt?.toISOString() ?? null,
    heartbeat: agent.heartbeat,
    configVersion: agent.configVersion,
    createdAt: agent.createdAt.toISOString(),
    updatedAt: agent.updatedAt.toISOString(),
  };
}

function isConnected({ connectedAt, lastHeartbeatAt }: AgentDocument, now: number): boolean {
  if (connectedAt === null) return false;
  return Math.max(connectedAt.getTime(), lastHeartbeatAt?.getTime() ?? 0) > now - SILENT_AFTER_MS;
}
