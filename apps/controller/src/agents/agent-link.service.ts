import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope } from '../access/principal';
import { agentNotFound } from './agent-configuration.service';
import { AgentsRepository } from './agents.repository';
import { judgeIncarnation } from './incarnations';
import { digestSecret, newSecret } from './secrets';

/** What starting a harness and letting its socket in needs to know of its agent. */
@Injectable()
export class AgentLinkService {
  constructor(private readonly agents: AgentsRepository) {}

  /**
   * A new secret for the next start of a managed agent's harness; the tokens of the start before end. Throws 404
   * agent_not_found.
   */
  async renewManaged(scope: OrgScope, agentId: string): Promise<string> {
    const secret = newSecret();
    const update = { $set: { secretHash: digestSecret(secret) }, $inc: { tokenVersion: 1 } };
    if ((await this.agents.update(scope, agentId, update)) === undefined) throw agentNotFound(agentId);
    return secret;
  }

  /**
   * Whether a socket of this incarnation may come in: the agent's newest only. Throws 409 agent_superseded for an older
   * one and for one that never connected by HTTP.
   */
  async admitIncarnation(scope: OrgScope, agentId: string, incarnation: string): Promise<void> {
    const agent = await this.agents.get(scope, agentId);
    if (agent === undefined) throw agentNotFound(agentId);
    const verdict = judgeIncarnation(agent, incarnation, new Date());
    const anonymous = agent.incarnation === undefined;
    if (verdict.kind !== 'same' && !anonymous) throw new ReinsError('agent_superseded');
  }
}
