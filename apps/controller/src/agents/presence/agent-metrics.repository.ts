import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../../access/principal';
import { isDuplicateKey, TenantRepository } from '../../database/tenant.repository';
import { AGENT_SAMPLE, type AgentSampleDocument, agentSampleSchema, sampleId } from './agent-metrics.schema';

/** Below and above every interval of an agent. */
const FIRST = '';
const LAST = '~';

@Injectable()
export class AgentMetricsRepository extends TenantRepository<AgentSampleDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<AgentSampleDocument>(AGENT_SAMPLE, agentSampleSchema));
  }

  /** Of all organisations at once; an interval that has its sample keeps it. */
  async insertAll(samples: AgentSampleDocument[]): Promise<void> {
    await this.model.collection.insertMany(samples as never[], { ordered: false }).catch((error: unknown) => {
      if (!isDuplicateKey(error)) throw error;
    });
  }

  /** Newest first, of intervals before the cursor, taken between the two times. */
  ofAgent(
    scope: OrgScope,
    agentId: string,
    { from, to, before }: { from?: Date; to?: Date; before?: Date },
    limit: number,
  ): Promise<AgentSampleDocument[]> {
    const at = { ...(from && { $gte: from }), ...(to && { $lte: to }) };
    const below = before === undefined ? agentId + '/' + LAST : sampleId(agentId, before);
    const filter = this.scoped(scope, {
      _id: { $gt: `${agentId}/${FIRST}`, $lt: below },
      ...((from ?? to) && { at }),
    });
    return this.model.find(filter).sort({ _id: -1 }).limit(limit).lean<AgentSampleDocument[]>().exec();
  }
}
