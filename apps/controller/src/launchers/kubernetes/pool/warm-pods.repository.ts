import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, type QueryFilter } from 'mongoose';
import { type OrgScope } from '../../../access/principal';
import { TenantRepository } from '../../../database/tenant.repository';
import { statesBefore, UNCLAIMED, WAITING, type WarmPodState } from './warm-pod-state';
import { WARM_POD, type WarmPodClaim, type WarmPodDocument, warmPodSchema } from './warm-pod.schema';

/** Warm pods. Every change of state is one compare-and-set: of two that want one, one gets it. */
@Injectable()
export class WarmPodsRepository extends TenantRepository<WarmPodDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<WarmPodDocument>(WARM_POD, warmPodSchema));
  }

  create(
    scope: OrgScope,
    pod: Pick<WarmPodDocument, '_id' | 'runtimeId' | 'key' | 'cluster'>,
  ): Promise<WarmPodDocument> {
    const none = { incarnation: null, claim: null, adopted: false, askedAt: null, goneAt: null };
    return this.insert(scope, { ...pod, ...none, state: 'starting', createdAt: new Date() });
  }

  get(scope: OrgScope, id: string): Promise<WarmPodDocument | undefined> {
    return this.findOne(scope, { _id: id });
  }

  /** Takes the one that has waited longest, of those that asked since `askedAfter`. */
  claim(scope: OrgScope, key: string, claim: WarmPodClaim, askedAfter: Date): Promise<WarmPodDocument | undefined> {
    const filter = { key, state: 'ready' as const, askedAt: { $gte: askedAfter } };
    return this.updateOne(scope, filter, { $set: { state: 'claimed', claim } }, { createdAt: 1 });
  }

  /** Undefined where it is not in a state to become this any more. */
  async move(
    scope: OrgScope,
    id: string,
    to: 'bound' | 'gone',
    from: readonly WarmPodState[] = statesBefore(to),
  ): Promise<WarmPodDocument | undefined> {
    const goneAt = to === 'gone' ? { goneAt: new Date() } : {};
    return this.updateOne(scope, { _id: id, state: { $in: from } }, { $set: { state: to, ...goneAt } });
  }

  async noteAdopted(scope: OrgScope, id: string): Promise<void> {
    await this.updateOne(scope, { _id: id }, { $set: { adopted: true } });
  }

  /** Those that became a harness of the session. */
  boundTo(scope: OrgScope, sessionId: string): Promise<WarmPodDocument[]> {
    return this.many(this.scoped(scope, { 'claim.sessionId': sessionId, state: 'bound' }));
  }

  async countUnclaimed(scope: OrgScope, runtimeId: string): Promise<{ ready: number; starting: number }> {
    const pods = await this.many(this.scoped(scope, { runtimeId, state: { $in: [...UNCLAIMED] } }));
    const ready = pods.filter(({ state }) => state === 'ready').length;
    return { ready, starting: pods.length - ready };
  }

  /** Without a tenant: the pod's token names it. Its first question makes it ready; undefined where it may not ask. */
  async asks(id: string, incarnation: string): Promise<{ pod: WarmPodDocument; isFirst: boolean } | undefined> {
    const asked = { incarnation, askedAt: new Date() };
    const again = await this.model
      .findOneAndUpdate({ _id: id, state: { $in: ['ready', 'claimed'] } }, { $set: asked }, { returnDocument: 'after' })
      .lean<WarmPodDocument>()
      .exec();
    if (again !== null) return { pod: again, isFirst: false };
    const first = await this.model
      .findOneAndUpdate(
        { _id: id, state: 'starting' },
        { $set: { ...asked, state: 'ready' } },
        { returnDocument: 'after' },
      )
      .lean<WarmPodDocument>()
      .exec();
    return first === null ? undefined : { pod: first, isFirst: true };
  }

  /** Without a tenant: for whoever holds their questions. Those of them that are not waiting any more. */
  settledAmong(ids: readonly string[]): Promise<WarmPodDocument[]> {
    return this.many({ _id: { $in: [...ids] }, state: { $nin: [...UNCLAIMED] } });
  }

  /** Without a tenant: for the loop that keeps the pools. */
  waiting(): Promise<WarmPodDocument[]> {
    return this.many({ state: { $in: [...WAITING] } });
  }

  /** Without a tenant: those whose objects still have to be marked as their session's. */
  toAdopt(): Promise<WarmPodDocument[]> {
    return this.many({ state: 'bound', adopted: false });
  }

  /** Without a tenant: how many there are, by state. */
  async count(state: WarmPodState): Promise<number> {
    return this.model.countDocuments({ state }).exec();
  }

  private many(filter: QueryFilter<WarmPodDocument>): Promise<WarmPodDocument[]> {
    return this.model.find(filter).sort({ createdAt: 1 }).lean<WarmPodDocument[]>().exec();
  }
}
