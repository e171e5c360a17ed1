import { type AgentPage } from '@reins/shared/api/agents';
import { type AgentDocument } from './agent.schema';
import { toAgentView } from './agent.view';
import { type AgentCount } from './agents.repository';

/** AIWM's page. `counts` are of the whole organisation. */
export function toAgentPage(
  { items, total, counts }: { items: AgentDocument[]; total: number; counts: AgentCount[] },
  { page, limit }: { page: number; limit: number },
): AgentPage {
  const byStatus: Record<string, number> = {};
  const byType: Record<string, number> = {};
  for (const { status, type, count } of counts) {
    byStatus[status] = (byStatus[status] ?? 0) + count;
    byType[type] = (byType[type] ?? 0) + count;
  }
  return {
    data: items.map((agent) => toAgentView(agent)),
    pagination: { page, limit, total, totalPages: Math.ceil(total / limit) },
    statistics: { total: counts.reduce((sum, { count }) => sum + count, 0), byStatus, byType },
  };
}
