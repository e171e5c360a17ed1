import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, type QueryFilter, type UpdateQuery } from 'mongoose';
import { AgentTokenStates } from '../access/authenticator';
import { type OrgScope } from '../access/principal';
import { type Page, TenantRepository } from '../database/tenant.repository';
import { AGENT, type AgentDocument, agentSchema } from './agent.schema';

export type AgentUpdate = UpdateQuery<AgentDocument>;

/** Fields by which an update recognises that nobody else was faster. */
export type AgentExpectation = QueryFilter<AgentDocument>;

export interface AgentFilter {
  /** Equal to the value. */
  equals: Partial<
    Pick<AgentDocument, 'status' | 'type' | 'role' | 'instructionId' | 'guardrailId' | 'nodeId'> & { tags: string }
  >;
  /** Contained in the text, whatever the case. */
  contains: { name?: string; description?: string };
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
    const { name, description } = filter.contains;
    const matching: AgentExpectation = {
      isDeleted: false,
      ...filter.equals,
      ...(name !== undefined && { name: containing(name) }),
      ...(description !== undefined && { description: containing(description) }),
    };
    return this.findPage(scope, matching, page, sort);
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

  /** The hot one of the updates: reads back a single field. Undefined where the agent is gone. */
  async recordHeartbeat(
    scope: OrgScope,
    id: string,
    heartbeat: NonNullable<AgentDocument['heartbeat']>,
    at: Date,
  ): Promise<{ configVersion: string } | undefined> {
    const found = await this.model
      .findOneAndUpdate(
        this.scoped(scope, { _id: id, isDeleted: false }),
        { $set: { heartbeat, lastHeartbeatAt: at } },
        { projection: { configVersion: 1 } },
      )
      .lean<{ configVersion: string }>()
      .exec();
    return found ?? undefined;
  }

  /** For agents nobody will ask for again: the session's history names them, the identity itself is gone. */
  remove(scope: OrgScope, id: string): Promise<boolean> {
    return this.deleteOne(scope, { _id: id });
  }

  async tokenState(orgId: string, agentId: string): Promise<{ tokenVersion: number; status: string } | undefined> {
    const found = await this.model
      .findOne({ _id: agentId, orgId, isDeleted: false }, { tokenVersion: 1, status: 1 })
      .lean<{ tokenVersion: number; status: string }>()
      .exec();
    return found ?? undefined;
  }
}

/** A text as a pattern that matches itself and nothing else. */
function containing(text: string): { $regex: string; $options: 'i' } {
  return { $regex: text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&'), $options: 'i' };
}
