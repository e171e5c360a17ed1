import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, type QueryFilter } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { TenantRepository } from '../database/tenant.repository';
import { AGENT, type AgentDocument, agentSchema } from './agent.schema';

/** Which agent, and whose. */
export interface AgentKey {
  _id: string;
  orgId: string;
}

/** The `limit` keys that follow the key `after` by id. */
export interface KeyPage {
  after: string | undefined;
  limit: number;
}

/**
 * Finds the agents that an edit concerns, page by page, so that no number of them is too large. Some of it is without a
 * tenant: it is for the controller's own loops, and nothing but keys leaves.
 */
@Injectable()
export class AgentKeysRepository extends TenantRepository<AgentDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<AgentDocument>(AGENT, agentSchema));
  }

  withInstruction(scope: OrgScope, instructionId: string, page: KeyPage): Promise<AgentKey[]> {
    return this.keys(this.scoped(scope, { instructionId }), page);
  }

  /** Of every organisation: a tool may be shared with all. */
  withTool(toolId: string, page: KeyPage): Promise<AgentKey[]> {
    return this.keys({ allowedToolIds: toolId }, page);
  }

  /** Of every organisation. */
  editedSince(at: Date, page: KeyPage): Promise<AgentKey[]> {
    return this.keys({ updatedAt: { $gte: at } }, page);
  }

  private keys(filter: QueryFilter<AgentDocument>, { after, limit }: KeyPage): Promise<AgentKey[]> {
    return this.model
      .find({ ...filter, isDeleted: false, ...(after !== undefined && { _id: { $gt: after } }) }, { orgId: 1 })
      .sort({ _id: 1 })
      .limit(limit)
      .lean<AgentKey[]>()
      .exec();
  }
}
