import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { turnMachine, type TurnEvent } from '@reins/shared/state';
import { type Connection, type QueryFilter } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { isDuplicateKey, type Page, TenantRepository } from '../database/tenant.repository';
import { type TerminalEvent, TURN, type TurnDocument, type TurnResult, turnSchema } from './turn.schema';

export interface LeaseHolder {
  agentId: string;
  incarnation: string;
}

/** How a turn ends, and who may end it: with a generation only the holder of that lease. */
export interface TurnEnd {
  event: Extract<TurnEvent, 'complete' | 'fail' | 'cancel' | 'interrupt'>;
  generation?: number;
  at: Date;
  result: TurnResult;
  terminal: TerminalEvent;
}

export interface TurnTotals {
  totalRequests: number;
  completedRequests: number;
  failedRequests: number;
  totalTokensIn: number;
  totalTokensOut: number;
  totalDurationMs: number;
}

@Injectable()
export class TurnsRepository extends TenantRepository<TurnDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<TurnDocument>(TURN, turnSchema));
  }

  /** Makes the turn unless one with this id is there; whoever was first, the stored one is returned. */
  async create(scope: OrgScope, turn: Omit<TurnDocument, 'orgId'>): Promise<{ turn: TurnDocument; created: boolean }> {
    try {
      const document = { ...turn, orgId: scope.orgId };
      await this.model.collection.insertOne(document as never);
      return { turn: document, created: true };
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      const existing = await this.get(scope, turn._id);
      if (existing === undefined) throw error;
      return { turn: existing, created: false };
    }
  }

  get(scope: OrgScope, turnId: string): Promise<TurnDocument | undefined> {
    return this.findOne(scope, { _id: turnId });
  }

  list(scope: OrgScope, sessionId: string, page: Page): Promise<{ items: TurnDocument[]; total: number }> {
    return this.findPage(scope, { sessionId }, page, { order: -1 });
  }

  /**
   * Leases the oldest queued turn outside of the busy lanes. 'contended': a lane was not as free as thought. Goes around
   * mongoose: a caller waits for it, and every value in it is made here.
   */
  async lease(
    scope: OrgScope,
    sessionId: string,
    busyLanes: readonly string[],
    holder: LeaseHolder,
    times: { leaseUntil: Date; startBy: Date },
  ): Promise<TurnDocument | undefined | 'contended'> {
    const filter = { sessionId, status: 'queued', ...(busyLanes.length > 0 && { lane: { $nin: busyLanes } }) };
    const { agentId, incarnation } = holder;
    const leased = { status: turnMachine.target('lease'), live: true, agentId, incarnation, ...times };
    try {
      const turn = await this.model.collection.findOneAndUpdate(
        this.scoped(scope, filter as QueryFilter<TurnDocument>) as never,
        { $set: leased, $inc: { generation: 1 } },
        { sort: { order: 1 }, returnDocument: 'after' },
      );
      return (turn as TurnDocument | null) ?? undefined;
    } catch (error) {
      if (isDuplicateKey(error)) return 'contended';
      throw error;
    }
  }

  /** leased → running under this very lease; undefined where the lease is gone. */
  start(scope: OrgScope, turnId: string, generation: number, at: Date): Promise<TurnDocument | undefined> {
    return this.updateOne(
      scope,
      { _id: turnId, generation, status: { $in: turnMachine.sources('start') } },
      { $set: { status: turnMachine.target('start'), startedAt: at, startBy: null } },
    );
  }

  /** Back to the queue; the generation moves on, so the former holder is fenced. */
  requeue(
    scope: OrgScope,
    turnId: string,
    generation: number,
    nextAttempt: boolean,
  ): Promise<TurnDocument | undefined> {
    return this.updateOne(
      scope,
      { _id: turnId, generation, status: { $in: turnMachine.sources('requeue') } },
      {
        $set: {
          status: turnMachine.target('requeue'),
          agentId: null,
          incarnation: null,
          leaseUntil: null,
          startBy: null,
        },
        $unset: { live: 1 },
        $inc: { generation: 1, attempt: nextAttempt ? 1 : 0 },
      },
    );
  }

  /** The one transition into a terminal state; undefined where the turn had ended or the lease is another's. */
  end(scope: OrgScope, turnId: string, end: TurnEnd): Promise<TurnDocument | undefined> {
    return this.updateOne(
      scope,
      {
        _id: turnId,
        status: { $in: turnMachine.sources(end.event) },
        ...(end.generation !== undefined && { generation: end.generation }),
      },
      {
        $set: {
          status: turnMachine.target(end.event),
          completedAt: end.at,
          result: end.result,
          terminal: end.terminal,
          leaseUntil: null,
          startBy: null,
        },
        $unset: { live: 1 },
        $inc: { generation: 1 },
      },
    );
  }

  async terminalLogged(turnIds: readonly string[]): Promise<void> {
    await this.model.updateMany({ _id: { $in: turnIds } }, { $unset: { terminal: 1 } }).exec();
  }

  /** Renews every listed lease that is still this agent's, by one update; returns the ids that are. */
  async renew(
    scope: OrgScope,
    agentId: string,
    leases: readonly { turnId: string; generation: number }[],
    leaseUntil: Date,
  ): Promise<TurnDocument[]> {
    if (leases.length === 0) return [];
    const ids = leases.map(({ turnId }) => turnId);
    const held = await this.model
      .find(this.scoped(scope, { _id: { $in: ids }, agentId, live: true }))
      .lean<TurnDocument[]>()
      .exec();
    const valid = held.filter((turn) => leases.some((l) => l.turnId === turn._id && l.generation === turn.generation));
    if (valid.length > 0) {
      const still = { _id: { $in: valid.map(({ _id }) => _id) }, agentId, live: true };
      await this.model.updateMany(this.scoped(scope, still), { $set: { leaseUntil } }).exec();
    }
    return valid;
  }

  async live(scope: OrgScope, sessionId: string): Promise<TurnDocument[]> {
    return this.model
      .find(this.scoped(scope, { sessionId, live: true }))
      .lean<TurnDocument[]>()
      .exec();
  }

  async queued(scope: OrgScope, sessionId: string): Promise<TurnDocument[]> {
    return this.model
      .find(this.scoped(scope, { sessionId, status: 'queued' }))
      .sort({ order: 1 })
      .lean<TurnDocument[]>()
      .exec();
  }

  /** The live turn takes note that it is to be cancelled; false where it is no longer live. */
  async requestCancel(scope: OrgScope, turnId: string, at: Date): Promise<boolean> {
    const found = await this.updateOne(scope, { _id: turnId, live: true }, { $set: { cancelRequestedAt: at } });
    return found !== undefined;
  }

  async markStalled(scope: OrgScope, turnId: string, generation: number, at: Date | null): Promise<boolean> {
    const found = await this.updateOne(
      scope,
      { _id: turnId, generation, live: true, stalledAt: at === null ? { $ne: null } : null },
      { $set: { stalledAt: at } },
    );
    return found !== undefined;
  }

  /** Live turns of all organisations, soonest lease first: for the watch only. */
  async allLive(limit: number): Promise<TurnDocument[]> {
    return this.model.find({ live: true }).sort({ leaseUntil: 1 }).limit(limit).lean<TurnDocument[]>().exec();
  }

  /** Ended turns of all organisations whose terminal event may be missing from the log: for the repair only. */
  async unlogged(before: Date, limit: number): Promise<TurnDocument[]> {
    return this.model
      .find({ terminal: { $exists: true }, completedAt: { $lt: before } })
      .sort({ completedAt: 1 })
      .limit(limit)
      .lean<TurnDocument[]>()
      .exec();
  }

  async totals(scope: OrgScope, sessionId: string): Promise<TurnTotals> {
    const duration = { $subtract: ['$completedAt', '$startedAt'] };
    const [row] = await this.model
      .aggregate<TurnTotals>([
        { $match: { sessionId, orgId: scope.orgId } },
        {
          $group: {
            _id: null,
            totalRequests: { $sum: 1 },
            completedRequests: { $sum: { $cond: [{ $eq: ['$status', 'complete'] }, 1, 0] } },
            failedRequests: { $sum: { $cond: [{ $in: ['$status', ['failed', 'interrupted']] }, 1, 0] } },
            totalTokensIn: { $sum: { $ifNull: ['$result.tokensIn', 0] } },
            totalTokensOut: { $sum: { $ifNull: ['$result.tokensOut', 0] } },
            totalDurationMs: { $sum: { $cond: [{ $and: ['$completedAt', '$startedAt'] }, duration, 0] } },
          },
        },
        { $project: { _id: 0 } },
      ])
      .exec();
    const none = {
      totalRequests: 0,
      completedRequests: 0,
      failedRequests: 0,
      totalTokensIn: 0,
      totalTokensOut: 0,
      totalDurationMs: 0,
    };
    return { ...none, ...row };
  }
}
