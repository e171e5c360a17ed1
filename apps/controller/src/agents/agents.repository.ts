import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, type QueryFilter, type UpdateQuery } from 'mongoose';
import { AgentTokenStates } from '../access/authenticator';
import { type OrgScope } from '../access/principal';
import { conditionOf } from '../common/aiwm-documents.repository';
import { type AiwmUsers } from '../common/aiwm-in-use';
import { BatchLoader } from '../database/batch-loader';
import { type GroupedUpdate, GroupedUpdates } from '../database/grouped-updates';
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

/** What a connect changes. */
export interface ConnectUpdate {
  $set: Partial<AgentDocument>;
  $unset?: Partial<Record<keyof AgentDocument, ''>>;
  $inc?: { connectionCount: number };
}

type Marked = Pick<AgentDocument, '_id' | 'connectMark'>;
type TokenState = Pick<AgentDocument, '_id' | 'orgId' | 'tokenVersion' | 'status'>;

const TOKEN_STATE = { orgId: 1, tokenVersion: 1, status: 1 } as const;

@Injectable()
export class AgentsRepository extends TenantRepository<AgentDocument> implements AgentTokenStates {
  /** A storm of connects asks for one agent each, and again as their sockets open: those of a moment are one query. */
  private readonly byId = new BatchLoader<AgentDocument>((ids) => this.livingOf(ids));
  private readonly states = new BatchLoader<TokenState>((ids) => this.livingOf<TokenState>(ids, TOKEN_STATE));

  private readonly connects = new GroupedUpdates<AgentExpectation, ConnectUpdate>({
    write: (updates) => this.writeConnects(updates),
    marks: async (ids) => {
      const found = await this.model
        .find({ _id: { $in: ids } }, { connectMark: 1 })
        .lean<Marked[]>()
        .exec();
      return new Map(found.map(({ _id, connectMark }) => [_id, connectMark]));
    },
  });

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
  getForConnect(id: string): Promise<AgentDocument | undefined> {
    return this.byId.load(id);
  }

  /** `get` for the opening of sockets, which come many at a time. */
  async getForLink({ orgId }: OrgScope, id: string): Promise<AgentDocument | undefined> {
    const agent = await this.byId.load(id);
    return agent?.orgId === orgId ? agent : undefined;
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

  /**
   * The update of an accepted connect: whether the agent was as expected. Many at once are one write. Nothing but plain
   * values, which go to the database as they are.
   */
  recordConnect(scope: OrgScope, id: string, update: ConnectUpdate, expected: AgentExpectation): Promise<boolean> {
    const filter = this.scoped(scope, { ...expected, _id: id, isDeleted: false });
    const mark = randomBytes(12).toString('base64url');
    const marked = { ...update, $set: { ...update.$set, connectMark: mark } };
    return this.connects.apply({ id, filter, update: marked, mark });
  }

  /** For agents nobody will ask for again: the session's history names them, the identity itself is gone. */
  async remove(scope: OrgScope, id: string): Promise<AgentDocument | undefined> {
    const removed = await this.model
      .findOneAndDelete(this.scoped(scope, { _id: id }))
      .lean<AgentDocument>()
      .exec();
    return removed ?? undefined;
  }

  async tokenState(orgId: string, agentId: string): Promise<TokenState | undefined> {
    const state = await this.states.load(agentId);
    return state?.orgId === orgId ? state : undefined;
  }

  /** Past mongoose, whose casting would cost more than the write. */
  private async writeConnects(updates: GroupedUpdate<AgentExpectation, ConnectUpdate>[]): Promise<number> {
    const writes = updates.map(({ filter, update }) => ({ updateOne: { filter, update } }));
    const options = { ordered: false, ignoreUndefined: true };
    const { matchedCount } = await this.model.collection.bulkWrite(writes as never[], options);
    return matchedCount;
  }

  /** Past mongoose: what is read is plain, and what is asked for needs no casting. */
  private async livingOf<T extends { _id: string }>(
    ids: string[],
    fields?: Record<string, 1>,
  ): Promise<Map<string, T>> {
    const living = { _id: { $in: ids }, isDeleted: false };
    const options = fields === undefined ? {} : { projection: fields };
    const found = await this.model.collection.find(living as object, options).toArray();
    return new Map((found as unknown as T[]).map((agent) => [agent._id, agent]));
  }
}

function referring(reference: AgentReference): AgentExpectation {
  const condition = 'toolId' in reference ? { allowedToolIds: reference.toolId } : reference;
  return { ...condition, isDeleted: false };
}
