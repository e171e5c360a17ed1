import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, type QueryFilter } from 'mongoose';
import { type OrgScope } from '../../access/principal';
import { GroupedUpdates } from '../../database/grouped-updates';
import { TenantRepository } from '../../database/tenant.repository';
import { AGENT, type AgentDocument, agentSchema } from '../agent.schema';

/** What a beat has to know of its agent. */
export type HeartbeatState = Pick<AgentDocument, 'configVersion' | 'status' | 'online' | 'connectedAt'>;

/** An agent that should have been heard of by now. */
export type SilentAgent = Pick<AgentDocument, '_id' | 'orgId' | 'socketClosedAt'>;

/** The agents as far as their presence goes. Every change is one atomic update that tells what was there before. */
@Injectable()
export class PresenceRepository extends TenantRepository<AgentDocument> {
  private readonly attaching = new GroupedUpdates<QueryFilter<AgentDocument>, { $set: { connectionId: string } }>({
    write: async (updates) => {
      const writes = updates.map(({ filter, update }) => ({ updateOne: { filter, update } }));
      const { matchedCount } = await this.model.collection.bulkWrite(writes as never[], { ordered: false });
      return matchedCount;
    },
    // Nobody asks which of them were found.
    marks: () => Promise.resolve(new Map()),
  });

  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<AgentDocument>(AGENT, agentSchema));
  }

  async has(scope: OrgScope, id: string): Promise<boolean> {
    return (await this.model.exists(this.scoped(scope, { _id: id, isDeleted: false }))) !== null;
  }

  /**
   * The hot one of the updates: reads back a few fields, as they were before. Undefined where the agent is gone, or is
   * another incarnation's by now.
   */
  async recordHeartbeat(
    scope: OrgScope,
    id: string,
    beat: Pick<AgentDocument, 'heartbeat' | 'lastHeartbeatAt' | 'beatEveryMs' | 'aliveUntil'>,
    incarnation: string | undefined,
  ): Promise<HeartbeatState | undefined> {
    const found = await this.model
      .findOneAndUpdate(
        this.scoped(scope, { _id: id, isDeleted: false, ...(incarnation !== undefined && { incarnation }) }),
        { $set: beat, $unset: { socketClosedAt: '' } },
        { projection: { configVersion: 1, status: 1, online: 1, connectedAt: 1 } },
      )
      .lean<HeartbeatState>()
      .exec();
    return found ?? undefined;
  }

  /** Whether this call made it online: it was not, and has said no goodbye. */
  async markOnline(scope: OrgScope, id: string): Promise<boolean> {
    const offline = { _id: id, isDeleted: false, online: { $ne: true }, connectedAt: { $ne: null } };
    const { modifiedCount } = await this.model.updateOne(this.scoped(scope, offline), { $set: { online: true } });
    return modifiedCount > 0;
  }

  /** Whether it was online before; undefined where it is another incarnation's by now. */
  async markSocketOpened(
    scope: OrgScope,
    id: string,
    incarnation: string | undefined,
    change: Pick<AgentDocument, 'online' | 'connectedAt' | 'beatEveryMs' | 'aliveUntil'>,
  ): Promise<boolean | undefined> {
    const before = await this.model
      .findOneAndUpdate(
        this.scoped(scope, { _id: id, isDeleted: false, incarnation: incarnation ?? null }),
        { $set: change, $unset: { socketClosedAt: '' } },
        { projection: { online: 1 } },
      )
      .lean<Pick<AgentDocument, 'online'>>()
      .exec();
    return before === null ? undefined : before.online;
  }

  /** Many at once are one write. */
  async attach(scope: OrgScope, id: string, connectionId: string): Promise<void> {
    const filter = this.scoped(scope, { _id: id, isDeleted: false });
    await this.attaching.apply({ id, filter, update: { $set: { connectionId } }, mark: connectionId });
  }

  async connectionOf(scope: OrgScope, id: string): Promise<string | undefined> {
    const found = await this.model
      .findOne(this.scoped(scope, { _id: id }), { connectionId: 1 })
      .lean<Pick<AgentDocument, 'connectionId'>>()
      .exec();
    return found?.connectionId;
  }

  async markSocketClosed(
    scope: OrgScope,
    id: string,
    held: QueryFilter<AgentDocument>,
    at: Date,
    aliveUntil: Date,
  ): Promise<void> {
    const filter = this.scoped(scope, { ...held, _id: id, online: true });
    await this.model.updateOne(filter, { $set: { socketClosedAt: at, aliveUntil } }).exec();
  }

  /** Offline until the next connect. The agent as it was before, deleted ones too. */
  async markGone(
    scope: OrgScope,
    id: string,
    expected: QueryFilter<AgentDocument>,
  ): Promise<AgentDocument | undefined> {
    const change = { $set: { online: false, connectedAt: null }, $unset: { socketClosedAt: '' } };
    const filter = this.scoped(scope, { ...expected, _id: id });
    const before = await this.model.findOneAndUpdate(filter, change).lean<AgentDocument>().exec();
    return before ?? undefined;
  }

  /** Ids of agents of all organisations that are overdue, longest first. */
  async silent(now: Date, limit: number): Promise<string[]> {
    const found = await this.model
      .find({ online: true, aliveUntil: { $lt: now } }, { _id: 1 })
      .sort({ aliveUntil: 1 })
      .limit(limit)
      .lean<Pick<AgentDocument, '_id'>[]>()
      .exec();
    return found.map(({ _id }) => _id);
  }

  /** Makes those of them offline that are overdue still, and answers which this call has made so and still are. */
  async markSilent(ids: string[], now: Date): Promise<SilentAgent[]> {
    const offlineMark = randomBytes(12).toString('base64url');
    const overdue = { _id: { $in: ids }, online: true, aliveUntil: { $lt: now } };
    const { modifiedCount } = await this.model.updateMany(overdue, { $set: { online: false, offlineMark } }).exec();
    if (modifiedCount === 0) return [];
    return this.model
      .find({ _id: { $in: ids }, offlineMark, online: false }, { orgId: 1, socketClosedAt: 1 })
      .lean<SilentAgent[]>()
      .exec();
  }

  /** Gives all that would be overdue by then their full time from now on. */
  async extendAlive(by: Date, now: Date, beats: number): Promise<void> {
    const aliveUntil = { $add: [now, { $multiply: ['$beatEveryMs', beats] }] };
    await this.model
      .updateMany({ online: true, aliveUntil: { $lt: by } }, [{ $set: { aliveUntil } }], { updatePipeline: true })
      .exec();
  }

  countOnline(): Promise<number> {
    return this.model.countDocuments({ online: true }).exec();
  }
}
