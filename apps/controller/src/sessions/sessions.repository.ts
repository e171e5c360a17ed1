import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type SessionPhase } from '@reins/shared/api/sessions';
import { sessionMachine, type SessionEvent, type SessionState } from '@reins/shared/state';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { isDuplicateKey, type Page, TenantRepository } from '../database/tenant.repository';
import { TenantLoader } from '../database/tenant-loader';
import { SESSION, type SessionDocument, sessionSchema } from './session.schema';

/** Fields a transition may set besides the status. */
export type SessionChange = Partial<
  Pick<
    SessionDocument,
    'phase' | 'statusReason' | 'launchId' | 'launchedAt' | 'crashes' | 'endedAt' | 'lastActivityAt' | 'pinned'
  >
>;

export interface SessionFilter {
  workerId?: string;
  status?: SessionState;
}

@Injectable()
export class SessionsRepository extends TenantRepository<SessionDocument> {
  /** Asked by the hello of each harness, and of those many come at once. */
  private readonly byAgent = new TenantLoader<SessionDocument[]>((scope, agentIds) => this.ofAgents(scope, agentIds));

  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<SessionDocument>(SESSION, sessionSchema));
  }

  /** Makes the session unless one with this id is there; whoever was first, the stored one is returned. */
  async create(
    scope: OrgScope,
    session: Omit<SessionDocument, 'orgId'>,
  ): Promise<{ session: SessionDocument; created: boolean }> {
    try {
      return { session: await this.insert(scope, session), created: true };
    } catch (error) {
      const existing = isDuplicateKey(error) ? await this.get(scope, session._id) : undefined;
      if (existing === undefined) throw error;
      return { session: existing, created: false };
    }
  }

  /** Goes around mongoose: every prompt waits for it, and a look-up by two strings has nothing to cast. */
  async get(scope: OrgScope, id: string): Promise<SessionDocument | undefined> {
    const found = await this.model.collection.findOne(this.scoped(scope, { _id: id }) as never);
    return (found as SessionDocument | null) ?? undefined;
  }

  list(scope: OrgScope, filter: SessionFilter, page: Page): Promise<{ items: SessionDocument[]; total: number }> {
    return this.findPage(scope, filter, page);
  }

  /** Those of its open sessions that its harness has, or is to take over; one that waits for its host is not among them. */
  async servedBy(scope: OrgScope, agentId: string): Promise<SessionDocument[]> {
    const open = await this.ofAgent(scope, agentId);
    return open.filter(
      ({ launcher, launchId, phase }) => launcher !== 'external' || (launchId !== null && phase !== 'provisioning'),
    );
  }

  /** The sessions an agent serves or will serve. */
  async ofAgent(scope: OrgScope, agentId: string): Promise<SessionDocument[]> {
    return (await this.byAgent.load(scope, agentId)) ?? [];
  }

  /** Ids of agents that serve or will serve sessions, of these workers if any are named; sorted. */
  async agentsServing(
    scope: OrgScope,
    workerIds: readonly string[] | undefined,
    { after, limit }: { after: string | undefined; limit: number },
  ): Promise<string[]> {
    const open: SessionState[] = ['pending', 'active', 'suspended', 'ending'];
    const matching = this.scoped(scope, {
      status: { $in: open },
      ...(workerIds !== undefined && { workerId: { $in: [...workerIds] } }),
      ...(after !== undefined && { agentId: { $gt: after } }),
    });
    const found = await this.model
      .aggregate<{ _id: string }>([
        { $match: matching },
        { $group: { _id: '$agentId' } },
        { $sort: { _id: 1 } },
        { $limit: limit },
      ])
      .exec();
    return found.map(({ _id }) => _id);
  }

  /** One named transition, by one atomic update; undefined where the session is not in a state that allows it. */
  transition(
    scope: OrgScope,
    id: string,
    event: SessionEvent,
    change: SessionChange = {},
  ): Promise<SessionDocument | undefined> {
    return this.updateOne(
      scope,
      { _id: id, status: { $in: sessionMachine.sources(event) } },
      { $set: { ...change, status: sessionMachine.target(event) } },
    );
  }

  /** Claims the one place for a harness; undefined where one is starting or living, or none is wanted. */
  claimLaunch(
    scope: OrgScope,
    id: string,
    launchId: string,
    by: { id: string; place: string },
  ): Promise<SessionDocument | undefined> {
    const launchedBy = { replicaId: by.id, place: by.place };
    const wanted: SessionState[] = ['pending', 'suspended'];
    return this.updateOne(
      scope,
      { _id: id, launchId: null, status: { $in: wanted } },
      { $set: { launchId, launchedBy, launchedAt: new Date(), phase: 'provisioning', refusals: [] } },
    );
  }

  /** Frees the place of one start. The session before it, or undefined where another start holds it. */
  async releaseLaunch(scope: OrgScope, id: string, launchId: string): Promise<SessionDocument | undefined> {
    const before = await this.model
      .findOneAndUpdate(
        this.scoped(scope, { _id: id, launchId }),
        { $set: { launchId: null, phase: null } },
        { returnDocument: 'before' },
      )
      .lean<SessionDocument>()
      .exec();
    return before ?? undefined;
  }

  /** Makes the chosen host the session's, if it still waits for one under this launch. */
  async assignHost(scope: OrgScope, id: string, launchId: string, agentId: string): Promise<boolean> {
    const wanted: SessionState[] = ['pending', 'suspended'];
    const assigned = await this.updateOne(
      scope,
      { _id: id, launchId, phase: 'provisioning', status: { $in: wanted }, agentId: { $in: [null, agentId] } },
      { $set: { agentId, phase: 'connecting', offeredAt: new Date() } },
    );
    return assigned !== undefined;
  }

  /** Whether this launch has given the session to the agent. */
  async isAssigned(scope: OrgScope, id: string, launchId: string, agentId: string): Promise<boolean> {
    const found = await this.findOne(scope, { _id: id, launchId, agentId, phase: { $nin: [null, 'provisioning'] } });
    return found !== undefined;
  }

  /** Its host did not take it: it waits for another one again, or for the same where it is bound to it. */
  async withdrawHost(
    scope: OrgScope,
    id: string,
    agentId: string,
    message: string,
  ): Promise<SessionDocument | undefined> {
    const offered = { _id: id, agentId, launcher: 'external', phase: 'connecting' } as const;
    const refused = { $push: { refusals: { agentId, at: new Date(), message } } };
    const waiting = { phase: 'provisioning', offeredAt: null } as const;
    return (
      (await this.updateOne(scope, { ...offered, pinned: true }, { $set: waiting, ...refused })) ??
      (await this.updateOne(scope, { ...offered, pinned: false }, { $set: { ...waiting, agentId: null }, ...refused }))
    );
  }

  /** Notes what a session waits for; false where it says so already, or does not wait any more. */
  async noteWaiting(scope: OrgScope, id: string, launchId: string, code: string, message: string): Promise<boolean> {
    const noted = await this.updateOne(
      scope,
      { _id: id, launchId, phase: { $in: ['provisioning', 'connecting'] }, 'statusReason.message': { $ne: message } },
      { $set: { statusReason: { code, message, at: new Date() } } },
    );
    return noted !== undefined;
  }

  /** Sessions of all organisations on their way to a host, the oldest first: for the controller's own loop only. */
  async onTheirWay(phase: 'provisioning' | 'connecting', offeredBefore?: Date): Promise<SessionDocument[]> {
    const wanted: SessionState[] = ['pending', 'suspended'];
    return this.model
      .find({
        launcher: 'external',
        phase,
        status: { $in: wanted },
        launchId: { $ne: null },
        ...(offeredBefore && { offeredAt: { $lt: offeredBefore } }),
      })
      .sort({ _id: 1 })
      .limit(1000)
      .lean<SessionDocument[]>()
      .exec();
  }

  /** Sessions of all organisations whose start was put off for this reason: for the controller's own loop only. */
  async putOff(code: string): Promise<SessionDocument[]> {
    const wanted: SessionState[] = ['pending', 'suspended'];
    return this.model
      .find({
        launcher: 'kubernetes',
        phase: 'provisioning',
        status: { $in: wanted },
        launchId: { $ne: null },
        'statusReason.code': code,
      })
      .sort({ _id: 1 })
      .limit(1000)
      .lean<SessionDocument[]>()
      .exec();
  }

  /** Of these sessions of all organisations, the ids of those that are not over: for the controller's own loop only. */
  async openAmong(ids: readonly string[]): Promise<Set<string>> {
    const found = await this.model
      .find({ _id: { $in: ids }, status: { $ne: 'ended' } }, { _id: 1 })
      .lean<{ _id: string }[]>()
      .exec();
    return new Set(found.map(({ _id }) => _id));
  }

  /** Of certain sessions those that get something of an edited worker; of all of them where none is named. */
  async amongOf(scope: OrgScope, ids: readonly string[], workerIds?: readonly string[]): Promise<SessionDocument[]> {
    return this.model
      .find(this.scoped(scope, { _id: { $in: ids }, ...(workerIds && { workerId: { $in: workerIds } }) }))
      .lean<SessionDocument[]>()
      .exec();
  }

  /** Moves the phase on, from certain phases only; false where it was another. */
  async setPhase(scope: OrgScope, id: string, phase: SessionPhase, from: readonly SessionPhase[]): Promise<boolean> {
    const found = await this.updateOne(scope, { _id: id, phase: { $in: from } }, { $set: { phase } });
    return found !== undefined;
  }

  /** Notes that the session's harness leaves of its own accord; not where it was told to. */
  async noteLeaving(scope: OrgScope, id: string, agentId: string, code: string, message: string): Promise<void> {
    const served: SessionState[] = ['pending', 'active', 'suspended'];
    const statusReason = { code, message, at: new Date() };
    const query = { _id: id, agentId, phase: { $ne: null }, status: { $in: served } };
    await this.updateOne(scope, query, { $set: { statusReason } });
  }

  /** Whether this controller takes the session to its end: nobody does, or whoever did is gone. */
  async claimEnd(scope: OrgScope, id: string, replicaId: string, living: readonly string[]): Promise<boolean> {
    const others = living.filter((other) => other !== replicaId);
    const claimed = await this.updateOne(
      scope,
      { _id: id, status: 'ending', endedBy: { $nin: others } },
      { $set: { endedBy: replicaId } },
    );
    return claimed !== undefined;
  }

  /** Sessions of all organisations whose harness was started beside a controller: for the controller's own loop only. */
  async launchedBeside(): Promise<SessionDocument[]> {
    return this.model
      .find({ launchId: { $ne: null }, launcher: { $in: ['process', null] }, status: { $ne: 'ended' } })
      .lean<SessionDocument[]>()
      .exec();
  }

  /** Makes this controller look after the session's harness; false where another one was faster. */
  async adopt(session: SessionDocument, replicaId: string, place: string): Promise<boolean> {
    const { _id, orgId, launchId, launchedBy } = session;
    const unchanged = { _id, orgId, launchId, 'launchedBy.replicaId': launchedBy?.replicaId ?? null };
    const { modifiedCount } = await this.model.updateOne(unchanged, { $set: { launchedBy: { replicaId, place } } });
    return modifiedCount > 0;
  }

  /** Notes whose connection the sessions' harness has now. */
  async attach(scope: OrgScope, ids: readonly string[], connectionId: string): Promise<void> {
    const filter = this.scoped(scope, { _id: { $in: [...ids] } });
    await this.model.updateMany(filter, { $set: { connectionId } }).exec();
  }

  /** The harness lost this connection; nothing changes where it has another one by now. */
  async detach(scope: OrgScope, id: string, connectionId: string): Promise<void> {
    await this.updateOne(scope, { _id: id, phase: 'ready', connectionId }, { $set: { phase: 'reconnecting' } });
  }

  async touch(scope: OrgScope, id: string, at: Date): Promise<void> {
    await this.updateOne(scope, { _id: id }, { $max: { lastActivityAt: at } });
  }

  async setCrashes(scope: OrgScope, id: string, crashes: number): Promise<void> {
    await this.updateOne(scope, { _id: id }, { $set: { crashes } });
  }

  async setConversation(scope: OrgScope, id: string, lane: string, conversationId: string): Promise<void> {
    await this.updateOne(
      scope,
      { _id: id },
      { $set: { [`conversations.${lane.replaceAll('.', '_')}`]: conversationId } },
    );
  }

  /** Sessions of all organisations in a state: for the controller's own loops only. */
  async everywhere(
    status: SessionState,
    filter: { idleSince?: Date; expiredAt?: Date; launchedBefore?: Date } = {},
  ): Promise<SessionDocument[]> {
    const { idleSince, expiredAt, launchedBefore } = filter;
    return this.model
      .find({
        status,
        ...(idleSince && { lastActivityAt: { $lt: idleSince } }),
        ...(expiredAt && { expiresAt: { $lt: expiredAt } }),
        ...(launchedBefore && { launchedAt: { $lt: launchedBefore }, launchId: { $ne: null } }),
      })
      .limit(1000)
      .lean<SessionDocument[]>()
      .exec();
  }

  /** Every session that has a harness started or living. */
  async launched(): Promise<SessionDocument[]> {
    return this.model
      .find({ launchId: { $ne: null }, status: { $in: ['pending', 'active', 'suspended', 'ending'] } })
      .lean<SessionDocument[]>()
      .exec();
  }

  private async ofAgents(scope: OrgScope, agentIds: string[]): Promise<[string, SessionDocument[]][]> {
    const open: SessionState[] = ['pending', 'active', 'suspended', 'ending'];
    const condition = this.scoped(scope, { agentId: { $in: agentIds }, status: { $in: open } });
    const found = await this.model.find(condition).lean<SessionDocument[]>().exec();
    return agentIds.map((agentId) => [agentId, found.filter((session) => session.agentId === agentId)]);
  }
}
