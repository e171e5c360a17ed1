import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, type QueryFilter } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { TenantRepository } from '../database/tenant.repository';
import { AGENT, type AgentDocument, agentSchema } from './agent.schema';

/** What the placement of sessions reads of an agent. */
const FIELDS = [
  'orgId',
  'name',
  'type',
  'status',
  'isDeleted',
  'acceptsSessions',
  'online',
  'connectedAt',
  'socketClosedAt',
  'labels',
  'harness',
  'boundSessions',
  'heartbeat',
  'lastHeartbeatAt',
  'beatEveryMs',
  'createdAt',
] as const satisfies readonly (keyof AgentDocument)[];
const PROJECTION = Object.fromEntries(FIELDS.map((field) => [field, 1]));

export type HostDocument = Pick<AgentDocument, '_id' | (typeof FIELDS)[number]>;
export type HostSlots = Pick<AgentDocument, '_id' | 'orgId' | 'boundSessions'>;

/** Autonomous agents as hosts of sessions, and the places they have. */
@Injectable()
export class HostsRepository extends TenantRepository<AgentDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<AgentDocument>(AGENT, agentSchema));
  }

  /** Also where it is managed or deleted, which is for the caller to tell. */
  async get(scope: OrgScope, id: string): Promise<HostDocument | undefined> {
    return (await this.read(this.scoped(scope, { _id: id })))[0];
  }

  /** Those that take sessions of this kind now, as far as one query can tell. */
  available(scope: OrgScope, cliType: string): Promise<HostDocument[]> {
    const ready = { online: true, 'harness.supportedTypes': cliType, status: 'active', acceptsSessions: true } as const;
    return this.read(this.scoped(scope, { type: 'autonomous', isDeleted: false, ...ready }));
  }

  /** All there are, to find out why none of them is suitable. */
  all(scope: OrgScope): Promise<HostDocument[]> {
    return this.read(this.scoped(scope, { type: 'autonomous', isDeleted: false }));
  }

  /**
   * Takes one of the agent's places for the session, if the agent still takes sessions and has as many as when it was
   * read. A session that has its place already keeps it. False: look again.
   */
  async claim(scope: OrgScope, id: string, sessionId: string, bound: number): Promise<boolean> {
    const claimed = await this.updateOne(
      scope,
      {
        _id: id,
        type: 'autonomous',
        isDeleted: false,
        status: 'active',
        acceptsSessions: true,
        $or: [{ boundSessions: sessionId }, { boundSessions: { $size: bound } }],
      },
      { $addToSet: { boundSessions: sessionId } },
    );
    return claimed !== undefined;
  }

  /** The session is there, whatever its place says: it is counted again. */
  async restore(scope: OrgScope, id: string, sessionId: string): Promise<boolean> {
    const filter = { _id: id, type: 'autonomous', isDeleted: false, boundSessions: { $ne: sessionId } } as const;
    return (await this.updateOne(scope, filter, { $addToSet: { boundSessions: sessionId } })) !== undefined;
  }

  /** Gives the session's place back, wherever it has one; false where it had none. */
  async release(scope: OrgScope, sessionId: string, agentId?: string): Promise<boolean> {
    const { modifiedCount } = await this.model
      .updateMany(this.scoped(scope, { boundSessions: sessionId, ...(agentId !== undefined && { _id: agentId }) }), {
        $pull: { boundSessions: sessionId },
      })
      .exec();
    return modifiedCount > 0;
  }

  /** Agents of all organisations that have sessions, deleted ones too: for the controller's own loops only. */
  async withSessions(): Promise<HostSlots[]> {
    return this.model
      .find({ boundSessions: { $gt: '' } }, { orgId: 1, boundSessions: 1 })
      .lean<HostSlots[]>()
      .exec();
  }

  private async read(filter: QueryFilter<AgentDocument>): Promise<HostDocument[]> {
    return this.model.find(filter, PROJECTION).lean<HostDocument[]>().exec();
  }
}
