import { Injectable } from '@nestjs/common';
import { type CreateAgent, type UpdateAgent } from '@reins/shared/api/agents';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope } from '../access/principal';
import { AuditService } from '../audit/audit.service';
import { Bus } from '../bus/bus';
import { type AgentChange, changeOf, fieldsOf } from './agent-change';
import { agentNotFound, AgentConfigurationService } from './agent-configuration.service';
import { AgentReferences } from './agent-references';
import { toAgentAuditView } from './agent.view';
import { type AgentListQuery } from './agent-list.query';
import { type AgentDocument } from './agent.schema';
import { type AgentCount, AgentsRepository, type AgentUpdate } from './agents.repository';
import { type Editor, newAgent } from './new-agent';
import { PresenceService } from './presence/presence.service';
import { SecretProofs } from './secret-proofs';
import { digestSecret, newSecret } from './secrets';

const CONTROLLER: Editor = { userId: 'controller', actor: 'controller' };
/** How often a change starts over because the agent changed under it. */
const ATTEMPTS = 10;

/** Identities that may connect. */
@Injectable()
export class AgentsService {
  constructor(
    private readonly agents: AgentsRepository,
    private readonly configurations: AgentConfigurationService,
    private readonly references: AgentReferences,
    private readonly audit: AuditService,
    private readonly proofs: SecretProofs,
    private readonly presence: PresenceService,
    private readonly bus: Bus,
  ) {}

  /**
   * A secret is stored for autonomous agents only: managed ones never get one from outside. Without one nothing is
   * stored that nobody knows: such an agent connects after a regenerate. Throws 400 for references that lead nowhere.
   */
  async create(scope: OrgScope, body: CreateAgent, by: Editor): Promise<AgentDocument> {
    const { secret } = body;
    const fields = fieldsOf(body);
    await this.references.check(scope, fields);
    const fresh = newAgent(by);
    const isGiven = body.type === 'autonomous' && secret !== undefined;
    const stored = isGiven ? await this.proofs.secretFields(fresh._id, secret) : {};
    const agent = { ...fresh, ...fields, ...stored };
    const { configVersion } = await this.configurations.configurationOf({ ...agent, orgId: scope.orgId });
    const created = await this.agents.create(scope, { ...agent, configVersion });
    await this.record(scope, by, 'agent.created', undefined, created);
    return created;
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
    const removed = await this.agents.remove(scope, agentId);
    if (removed !== undefined) this.presence.ended(scope, removed);
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

  /**
   * Suspending and a new role end the agent's tokens; a changed configuration is announced to its harness. Of two edits
   * at once both hold: settings are merged into what is stored then. Throws 400 as `changeOf`, and for references that
   * lead nowhere.
   */
  async update(scope: OrgScope, id: string, body: UpdateAgent, by: Editor): Promise<AgentDocument> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const stored = await this.get(scope, id);
      const change = changeOf(body, stored);
      await this.references.check(scope, change.fields, stored);
      const updated = await this.agents.update(scope, id, updateOf(change, stored, by), {
        updatedAt: stored.updatedAt,
      });
      if (updated === undefined) continue;
      if (change.revokes) this.bus.publish('agent.revoked', { orgId: scope.orgId, agentId: id, reason: 'revoked' });
      const { agent } = await this.renew(scope, id);
      const suspends = updated.status === 'suspended' && stored.status !== 'suspended';
      await this.record(scope, by, suspends ? 'agent.suspended' : 'agent.updated', stored, updated);
      return agent;
    }
    throw new ReinsError('conflict', { retryAfterMs: 1000 });
  }

  /** The row stays, without its secrets, for whoever asks later who it was. */
  async delete(scope: OrgScope, id: string, by: Editor): Promise<void> {
    const stored = await this.get(scope, id);
    const now = new Date();
    const update: AgentUpdate = {
      $set: { isDeleted: true, deletedAt: now, updatedAt: now, updatedBy: by.actor, connectedAt: null },
      $unset: {
        secretHash: '',
        secretProof: '',
        previousSecretHash: '',
        previousSecretProof: '',
        previousSecretUntil: '',
      },
      $inc: { tokenVersion: 1 },
    };
    found(id, await this.agents.update(scope, id, update));
    this.bus.publish('agent.revoked', { orgId: scope.orgId, agentId: id, reason: 'revoked' });
    await this.record(scope, by, 'agent.deleted', stored, undefined);
  }

  /**
   * Computes the configuration's version anew, after an edit of what it is made from. Of several at once one stores it
   * and announces it. False where it is the one that was stored, or the agent is gone.
   */
  async refreshConfiguration(scope: OrgScope, id: string): Promise<boolean> {
    try {
      return (await this.renew(scope, id)).renewed;
    } catch (error) {
      if (error instanceof ReinsError && error.code === 'agent_not_found') return false;
      throw error;
    }
  }

  private async renew(scope: OrgScope, id: string): Promise<{ agent: AgentDocument; renewed: boolean }> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const agent = await this.get(scope, id);
      const configVersion = await this.versionOf(agent);
      if (configVersion === agent.configVersion) return { agent, renewed: false };
      const expected = { configVersion: agent.configVersion, updatedAt: agent.updatedAt };
      const updated = await this.agents.update(scope, id, { $set: { configVersion } }, expected);
      // Undefined: edited or renewed meanwhile, so that what was computed here may be of the past.
      if (updated === undefined) continue;
      this.bus.publish('agent.configured', { orgId: scope.orgId, agentId: id, configVersion });
      return { agent: updated, renewed: true };
    }
    throw new ReinsError('conflict', { retryAfterMs: 1000 });
  }

  /** The trail keeps what differs, with secrets masked there. */
  private record(
    scope: OrgScope,
    { actor }: Editor,
    action: string,
    before: AgentDocument | undefined,
    after: AgentDocument | undefined,
  ): Promise<void> {
    return this.audit.record(scope, {
      actor,
      action,
      target: { type: 'agent', id: (after ?? before)?._id ?? '' },
      before: before && toAgentAuditView(before),
      after: after && toAgentAuditView(after),
    });
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

function updateOf({ fields, cleared, revokes }: AgentChange, stored: AgentDocument, by: Editor): AgentUpdate {
  // Never the same twice: it is how an edit notices that another one was faster.
  const updatedAt = new Date(Math.max(Date.now(), stored.updatedAt.getTime() + 1));
  return {
    $set: { ...fields, updatedAt, updatedBy: by.actor },
    ...(cleared.length > 0 && { $unset: Object.fromEntries(cleared.map((field) => [field, ''])) }),
    ...(revokes && { $inc: { tokenVersion: 1 } }),
  };
}
