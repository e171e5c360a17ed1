import { Injectable } from '@nestjs/common';
import { type CreateAgent, HeartbeatRequest, type UpdateAgent } from '@reins/shared/api/agents';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope } from '../access/principal';
import { Bus } from '../bus/bus';
import { agentNotFound, AgentConfigurationService } from './agent-configuration.service';
import { type AgentListQuery } from './agent-list.query';
import { type AgentDocument } from './agent.schema';
import { type AgentCount, AgentsRepository, type AgentUpdate } from './agents.repository';
import { envSettingIssues } from './env-settings';
import { unmaskSecrets } from '../common/mask-secrets';
import { type Editor, newAgent } from './new-agent';
import { digestSecret, hashSecret, newSecret } from './secrets';

const CONTROLLER: Editor = { userId: 'controller', actor: 'controller' };

/** Identities that may connect. */
@Injectable()
export class AgentsService {
  constructor(
    private readonly agents: AgentsRepository,
    private readonly configurations: AgentConfigurationService,
    private readonly bus: Bus,
  ) {}

  /** A secret is stored for autonomous agents only: managed ones never get one from outside. */
  async create(scope: OrgScope, body: CreateAgent, by: Editor): Promise<AgentDocument> {
    checkSettings(body.settings);
    const { secret, ...fields } = body;
    const hashed = fields.type === 'autonomous' && secret !== undefined ? await hashSecret(secret) : undefined;
    const agent = { ...newAgent(by), ...fields, ...(hashed !== undefined && { secretHash: hashed }) };
    const { configVersion } = await this.configurations.configurationOf({ ...agent, orgId: scope.orgId });
    return this.agents.create(scope, { ...agent, configVersion });
  }

  /** An agent for exactly one session. The secret exists in this answer and in the harness it is given to. */
  async createManaged(
    scope: OrgScope,
    { name, sessionId }: { name: string; sessionId: string },
  ): Promise<{ agentId: string; secret: string }> {
    const secret = newSecret();
    const { _id } = await this.agents.create(scope, {
      ...newAgent(CONTROLLER),
      name,
      description: `Harness of the session ${sessionId}`,
      sessionId,
      secretHash: digestSecret(secret),
    });
    return { agentId: _id, secret };
  }

  /** Ends a managed agent with its session: its tokens and its secret are worth nothing from now on. */
  async retire(scope: OrgScope, agentId: string): Promise<void> {
    await this.agents.remove(scope, agentId);
    this.bus.publish('agent.revoked', { orgId: scope.orgId, agentId, reason: 'ended' });
  }

  async list(
    scope: OrgScope,
    { page, limit, filter, sort }: AgentListQuery,
  ): Promise<{ items: AgentDocument[]; total: number; counts: AgentCount[] }> {
    const [found, counts] = await Promise.all([
      this.agents.list(scope, filter, { limit, offset: (page - 1) * limit }, sort),
      this.agents.count(scope),
    ]);
    return { ...found, counts };
  }

  /** Throws 404 agent_not_found. */
  async get(scope: OrgScope, id: string): Promise<AgentDocument> {
    return found(id, await this.agents.get(scope, id));
  }

  /** Suspending and a new role end the agent's tokens; a changed configuration is announced to its harness. */
  async update(scope: OrgScope, id: string, body: UpdateAgent, by: Editor): Promise<AgentDocument> {
    const stored = await this.get(scope, id);
    const { type, ...change } = body;
    if (type !== undefined && type !== stored.type) throw typeIsImmutable(stored.type, type);
    if (change.settings !== undefined) {
      change.settings = unmaskSecrets(change.settings, stored.settings) as Record<string, unknown>;
      checkSettings(change.settings);
    }
    const revokes =
      (change.status === 'suspended' && stored.status !== 'suspended') ||
      (change.role !== undefined && change.role !== stored.role);
    const update: AgentUpdate = {
      $set: { ...change, updatedAt: new Date(), updatedBy: by.actor },
      ...(revokes && { $inc: { tokenVersion: 1 } }),
    };
    const agent = found(id, await this.agents.update(scope, id, update));
    if (revokes) this.bus.publish('agent.revoked', { orgId: scope.orgId, agentId: id, reason: 'revoked' });
    return this.announce(scope, agent);
  }

  /** The row stays, without its secrets, for whoever asks later who it was. */
  async delete(scope: OrgScope, id: string, by: Editor): Promise<void> {
    const now = new Date();
    const update: AgentUpdate = {
      $set: { isDeleted: true, deletedAt: now, updatedAt: now, updatedBy: by.actor, connectedAt: null },
      $unset: { secretHash: '', previousSecretHash: '', previousSecretUntil: '' },
      $inc: { tokenVersion: 1 },
    };
    found(id, await this.agents.update(scope, id, update));
    this.bus.publish('agent.revoked', { orgId: scope.orgId, agentId: id, reason: 'revoked' });
  }

  /**
   * Records a beat by one update; metrics that cannot be stored are dropped, the beat is not. Answers the version of
   * the configuration the agent should have. Throws 404 agent_not_found.
   */
  async heartbeat(scope: OrgScope, agentId: string, beat: HeartbeatRequest): Promise<string> {
    const metrics = HeartbeatRequest.shape.metrics.safeParse(beat.metrics).data ?? {};
    const recorded = await this.agents.recordHeartbeat(scope, agentId, { status: beat.status, metrics }, new Date());
    if (recorded === undefined) throw agentNotFound(agentId);
    return recorded.configVersion;
  }

  /** With an incarnation only if it is still the agent's: a late goodbye of an older one clears nothing. */
  async markDisconnected(scope: OrgScope, agentId: string, incarnation?: string): Promise<void> {
    const expected = incarnation === undefined ? {} : { incarnation };
    await this.agents.update(scope, agentId, { $set: { connectedAt: null } }, expected);
  }

  /** Computes the configuration's version anew, after an edit of the agent or of what it is made from. */
  async refreshConfiguration(scope: OrgScope, id: string): Promise<void> {
    await this.announce(scope, await this.get(scope, id));
  }

  private async announce(scope: OrgScope, agent: AgentDocument): Promise<AgentDocument> {
    const configVersion = await this.versionOf(agent);
    if (configVersion === agent.configVersion) return agent;
    const updated = await this.agents.update(scope, agent._id, { $set: { configVersion } });
    this.bus.publish('agent.configured', { orgId: scope.orgId, agentId: agent._id, configVersion });
    return updated ?? agent;
  }

  private async versionOf(agent: AgentDocument): Promise<string> {
    try {
      return (await this.configurations.configurationOf(agent)).configVersion;
    } catch (error) {
      // A managed agent whose session is over keeps the version it had.
      if (error instanceof ReinsError && error.code === 'agent_not_found') return agent.configVersion;
      throw error;
    }
  }
}

function found(id: string, agent: AgentDocument | undefined): AgentDocument {
  if (agent === undefined) throw agentNotFound(id);
  return agent;
}

function checkSettings(settings: Record<string, unknown>): void {
  const details = envSettingIssues(settings);
  if (details.length > 0) throw new ReinsError('validation_failed', { details });
}

function typeIsImmutable(from: string, to: string): ReinsError {
  return new ReinsError('agent_type_immutable', {
    message:
      `Cannot change agent type from '${from}' to '${to}'. ` +
      'Please delete and recreate the agent with the desired type.',
  });
}
