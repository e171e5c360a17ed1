import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../../access/principal';
import { isDuplicateKey, TenantRepository } from '../../database/tenant.repository';
import { AGENT_EVENT, type AgentEventDocument, agentEventSchema } from './agent-events.schema';

@Injectable()
export class AgentEventsRepository extends TenantRepository<AgentEventDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<AgentEventDocument>(AGENT_EVENT, agentEventSchema));
  }

  /** Of all organisations at once; those that are stored already are left as they are. */
  async insertAll(events: AgentEventDocument[]): Promise<void> {
    await this.model.collection.insertMany(events as never[], { ordered: false }).catch(unlessDuplicate);
  }

  /** Newest first, older than the cursor. */
  ofAgent(scope: OrgScope, agentId: string, before: string | undefined, limit: number): Promise<AgentEventDocument[]> {
    const filter = this.scoped(scope, { agentId, ...(before !== undefined && { _id: { $lt: before } }) });
    return this.model.find(filter).sort({ _id: -1 }).limit(limit).lean<AgentEventDocument[]>().exec();
  }

  /** Oldest first, newer than the cursor. */
  after(scope: OrgScope, cursor: string, limit: number): Promise<AgentEventDocument[]> {
    const filter = this.scoped(scope, { _id: { $gt: cursor } });
    return this.model.find(filter).sort({ _id: 1 }).limit(limit).lean<AgentEventDocument[]>().exec();
  }
}

function unlessDuplicate(error: unknown): void {
  if (!isDuplicateKey(error)) throw error;
}
