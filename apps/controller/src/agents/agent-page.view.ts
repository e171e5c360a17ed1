import { type AgentPage } from '@reins/shared/api/agents';
import { toAiwmPage } from '../common/aiwm-page';
import { type AgentDocument } from './agent.schema';
import { toAgentView } from './agent.view';
import { type AgentCount } from './agents.repository';

/** AIWM's page. `counts` are of the whole organisation. */
export function toAgentPage(
  found: { items: AgentDocument[]; total: number; counts: AgentCount[] },
  query: { page: number; limit: number },
): AgentPage {
  return toAiwmPage(found, query, (agent) => toAgentView(agent));
}
