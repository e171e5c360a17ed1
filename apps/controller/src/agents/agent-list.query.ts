import { AGENT_ROLES, AGENT_STATUSES, AGENT_TYPES } from '@reins/shared/api/agents';
import { z } from 'zod';
import { type AiwmListQuery, filterText, parseAiwmList } from '../common/aiwm-list';

const EQUALS = z.object({
  status: z.enum(AGENT_STATUSES),
  type: z.enum(AGENT_TYPES),
  role: z.enum(AGENT_ROLES),
  instructionId: filterText,
  guardrailId: filterText,
  nodeId: filterText,
  tags: filterText,
});

export type AgentListQuery = AiwmListQuery<Partial<z.infer<typeof EQUALS>>>;

/** `GET /agents`; see parseAiwmList for what passes. */
export function parseAgentList(url: string): AgentListQuery {
  return parseAiwmList(url, {
    equals: EQUALS,
    contains: ['name', 'description'],
    sort: ['createdAt', 'updatedAt', 'name', 'status', 'type', 'lastConnectedAt', 'lastHeartbeatAt'],
  });
}
