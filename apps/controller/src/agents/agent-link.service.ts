import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope } from '../access/principal';
import { Bus } from '../bus/bus';
import { agentNotFound } from './agent-configuration.service';
import { AgentsRepository } from './agents.repository';
import { judgeIncarnation } from './incarnations';
import { PresenceService } from './presence/presence.service';
import { digestSecret, newSecret } from './secrets';

/** How often a takeover starts over because the agent changed under it. */
const ATTEMPTS = 5;

/** What starting a harness and letting its socket in needs to know of its agent. */
@Injectable()
export class AgentLinkService {
  constructor(
    private readonly agents: AgentsRepository,
    private readonly presence: PresenceService,
    private readonly bus: Bus,
  ) {}

  /**
   * A new secret for the next start of a managed agent's harness; the tokens of the start before end. Throws 404
   * agent_not_found.
   */
  async renewManaged(scope: OrgScope, agentId: string): Promise<string> {
    const secret = newSecret();
    const update = { $set: { secretHash: digestSecret(secret) }, $inc: { tokenVersion: 1 } };
    const renewed = await this.agents.update(scope, agentId, update, { type: 'managed' });
    if (renewed === undefined) throw agentNotFound(agentId);
    return secret;
  }

  /**
   * The same for an agent as it was read: undefined where somebody else renewed its secret since, whose harness it is
   * then.
   */
  async renewIf(scope: OrgScope, agentId: string, tokenVersion: number): Promise<string | undefined> {
    const secret = newSecret();
    const update = { $set: { secretHash: digestSecret(secret) }, $inc: { tokenVersion: 1 } };
    const renewed = await this.agents.update(scope, agentId, update, { type: 'managed', tokenVersion });
    return renewed === undefined ? undefined : secret;
  }

  /** What tells two starts of an agent apart. Undefined where there is no such agent. */
  async startOf(
    scope: OrgScope,
    agentId: string,
  ): Promise<{ tokenVersion: number; incarnation: string | undefined } | undefined> {
    const agent = await this.agents.get(scope, agentId);
    return agent && { tokenVersion: agent.tokenVersion, incarnation: agent.incarnation };
  }

  /**
   * Lets the socket of an incarnation in: the agent's newest only. One that connect was not told of takes over where the
   * last connect named none, so that a harness may leave it out there. Throws 409 agent_superseded otherwise.
   */
  async admitIncarnation(scope: OrgScope, agentId: string, incarnation: string): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const agent = await this.agents.getForLink(scope, agentId);
      if (agent === undefined) throw agentNotFound(agentId);
      const verdict = judgeIncarnation(agent, incarnation, new Date());
      if (verdict.kind === 'same') return this.presence.socketOpened(scope, agent);
      const open = agent.incarnation === undefined || agent.incarnationOpen;
      if (verdict.kind !== 'new' || !open) throw new ReinsError('agent_superseded');
      const now = new Date();
      const change = {
        ...this.presence.signOfLife(now),
        connectedAt: agent.connectedAt ?? now,
        incarnation,
        incarnationOpen: false,
        supersededIncarnations: verdict.superseded,
        ...(verdict.conflict && { conflictAt: now }),
      };
      const { incarnation: before = null, tokenVersion, online } = agent;
      const update = { $set: change, $unset: { socketClosedAt: '' } };
      const expected = { incarnation: before, tokenVersion, online };
      if ((await this.agents.update(scope, agentId, update, expected)) === undefined) continue;
      this.presence.superseded(agent, incarnation, verdict.conflict);
      if (!online) this.presence.cameOnline(agent, 'socket_opened');
      this.bus.publish('agent.connected', { orgId: scope.orgId, agentId, incarnation });
      return;
    }
    throw new ReinsError('conflict', { retryAfterMs: 1000 });
  }
}
