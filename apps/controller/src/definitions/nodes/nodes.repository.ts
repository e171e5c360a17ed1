import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type NodeFacts, type NodeStatus } from '@reins/shared/api/nodes';
import { type Connection, type QueryFilter } from 'mongoose';
import { type OrgScope } from '../../access/principal';
import { AiwmDocumentsRepository } from '../../common/aiwm-documents.repository';
import { type AiwmFilter } from '../../common/aiwm-list';
import { type AiwmCount } from '../../common/aiwm-page';
import { silentBefore } from './node-presence';
import { NODE, type NodeDocument, nodeSchema } from './node.schema';

@Injectable()
export class NodesRepository extends AiwmDocumentsRepository<NodeDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<NodeDocument>(NODE, nodeSchema));
  }

  /**
   * One beat by one update; facts it does not name stay. A node under maintenance stays so. Undefined where the node is
   * gone.
   */
  async recordHeartbeat(
    scope: OrgScope,
    id: string,
    { status, facts }: { status: NodeStatus; facts: NodeFacts },
    at: Date,
  ): Promise<NodeDocument | undefined> {
    const named = Object.entries(facts).map(([fact, value]) => [`facts.${fact}`, value] as const);
    const seen = {
      aliveAt: at,
      lastHeartbeat: at,
      tokenLastUsed: at,
      ...(named.length > 0 && { lastMetricsAt: at }),
      ...Object.fromEntries(named),
    };
    const one = { _id: id, isDeleted: false };
    const working = { ...one, status: { $ne: 'maintenance' as const } };
    return (
      (await this.updateOne(scope, working, { $set: { ...seen, status } })) ??
      (await this.updateOne(scope, one, { $set: seen }))
    );
  }

  /** A filter by status asks for the status as it is now, not as it was last said. */
  protected override matching({ equals, contains }: AiwmFilter): QueryFilter<NodeDocument> {
    const { status, ...others } = equals as { status?: NodeStatus };
    const matching = super.matching({ equals: others, contains });
    const since = silentBefore(Date.now());
    if (status === undefined) return matching;
    if (status === 'online') return { ...matching, status, aliveAt: { $gte: since } };
    if (status !== 'offline') return { ...matching, status };
    return { ...matching, $or: [{ status }, { status: 'online', aliveAt: { $lt: since } }] };
  }

  protected override async count(scope: OrgScope): Promise<AiwmCount[]> {
    const silentOnline = this.readable(scope, { status: 'online', aliveAt: { $lt: silentBefore(Date.now()) } });
    const [counts, silent] = await Promise.all([super.count(scope), this.model.countDocuments(silentOnline).exec()]);
    return [
      ...counts.map((entry) => (entry.status === 'online' ? { ...entry, count: entry.count - silent } : entry)),
      { status: 'offline', count: silent },
    ].filter(({ count }) => count > 0);
  }
}
