import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, type QueryFilter, type UpdateQuery } from 'mongoose';
import { AgentTokenStates } from '../access/authenticator';
import { type OrgScope } from '../access/principal';
import { conditionOf } from '../common/aiwm-documents.repository';
import { type AiwmUsers } from '../common/aiwm-in-use';
import { type Page, TenantRepository } from '../database/tenant.repository';
import { AGENT, type AgentDocument, agentSchema } from './agent.schema';

export type AgentUpdate = UpdateQuery<AgentDocument>;

/** What an agent may refer to. */
export type AgentReference = { instructionId: string } | { toolId: string } | { nodeId: string };

/** How many of the agents that refer to something are named. */
const USERS_NAMED = 20;

/** Fields by which an update recognises that nobody else was faster. */
export type AgentExpectation = QueryFilter<AgentDocument>;

export interface AgentFilter {
  /** Equal to the value. */
  equals: Partial<
    Pick<AgentDocument, 'status' | 'type' | 'role' | 'instructionId' | 'guardrailId' | 'nodeId'> & { tags: string }
  >;
  /** Contained in the text, whatever the case. */
  contains: Record<string, string>;
}

export interface AgentCount {
  status: string;
  type: string;
  count: number;
}

@Injectable()
export class AgentsRepository extends TenantRepository<AgentDocument> implements AgentTokenStates {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<AgentDocument>(AGENT, agentSchema));
  }

  create(scope: OrgScope, agent: Omit<AgentDocument, 'orgId'>): Promise<AgentDocument> {
    return this.insert(scope, agent);
  }

  get(scope: OrgScope, id: string): Promise<AgentDocument | undefined> {
    return this.findOne(scope, { _id: id, isDeleted: false });
  }

  /** Without a tenant: connect is public and knows the id alone. What it returns goes no further than the connect. */
  async getForConnect(id: string): Promise<AgentDocument | undefined> {
    const found = await this.model.findOne({ _id: id, isDeleted: false }).lean<AgentDocument>().exec();
    return found ?? undefined;
  }

  list(
    scope: OrgScope,
    filter: AgentFilter,
    page: Page,
    sort?: Record<string, 1 | -1>,
  ): Promise<{ items: AgentDocument[]; total: number }> {
    return this.findPage(scope, { isDeleted: false, ...conditionOf(filter) }, page, sort);
  }

  /** The agents that would miss it: not deleted, whatever their status; the first of them by name. */
  async usersOf(scope: OrgScope, reference: AgentReference, limit = USERS_NAMED): Promise<AiwmUsers> {
    const { items, total } = await this.findPage(
      scope,
      referring(reference),
      { limit, offset: 0 },
      { name: 1, _id: 1 },
    );
    return { agents: items.map(({ _id, name }) => ({ _id, name })), total };
  }

  /**
   * Without a tenant, for tools that every organisation may use: whose agents use it. Only the number of organisations
   * may be shown to anyone.
   */
  organisationsUsing(toolId: string): Promise<string[]> {
    return this.model.distinct('orgId', referring({ toolId })).exec();
  }

  async count(scope: OrgScope): Promise<AgentCount[]> {
    const groups = await this.model
      .aggregate<{ _id: { status: string; type: string }; count: number }>([
        { $match: this.scoped(scope, { isDeleted: false }) },
        { $group: { _id: { status: '$status', type: '$type' }, count: { $sum: 1 } } },
      ])
      .exec();
    return groups.map(({ _id, count }) => ({ ..._id, count }));
  }

  /** The agent after the update; undefined where it is gone or is not as expected any more. */
  update(
    scope: OrgScope,
    id: string,
    update: AgentUpdate,
    expected: AgentExpectation = {},
  ): Promise<AgentDocument | undefined> {
    return this.updateOne(scope, { ...expected, _id: id, isDeleted: false }, update);
  }

  /** For agents nobody will ask for again: the session's history names them, the identity itself is gone. */
  async remove(scope: OrgScope, id: string): Promise<AgentDocument | undefined> {
    const removed = await this.model
      .findOneAndDelete(this.scoped(scope, { _id: id }))
      .lean<AgentDocument>()
      .exec();
    return removed ?? undefined;
  }

  async tokenState(orgId: string, agentId: string): Promise<{ tokenVersion: number; status: string } | undefined> {
    const found = await this.model
      .findOne({ _id: agentId, orgId, isDeleted: false }, { tokenVersion: 1, status: 1 })
      .lean<{ tokenVersion: number; status: string }>()
      .exec();
    return found ?? undefined;
  }
}

function referring(reference: AgentReference): AgentExpectation {
  const condition = 'toolId' in reference ? { allowedToolIds: reference.toolId } : reference;
  return { ...condition, isDeleted: false };
}
