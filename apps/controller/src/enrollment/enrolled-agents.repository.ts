import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { AGENT, type AgentDocument, agentSchema } from '../agents/agent.schema';
import { type Page, TenantRepository } from '../database/tenant.repository';

/** What ends the agents of a token. */
export type GroupEnd = 'suspend' | 'delete';

/** The agents that enrollment tokens made. */
@Injectable()
export class EnrolledAgentsRepository extends TenantRepository<AgentDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<AgentDocument>(AGENT, agentSchema));
  }

  /** Rejects with a duplicate key where the token's key has an agent already. */
  create(scope: OrgScope, agent: Omit<AgentDocument, 'orgId'>): Promise<AgentDocument> {
    return this.insert(scope, agent);
  }

  /** Deleted ones too: their key is used up. */
  ofKey(scope: OrgScope, enrollmentId: string, enrollmentKey: string): Promise<AgentDocument | undefined> {
    return this.findOne(scope, { enrollmentId, enrollmentKey });
  }

  /** Another secret for an agent that may still connect; its tokens end. Undefined where it may not. */
  renew(scope: OrgScope, id: string, secret: Partial<AgentDocument>): Promise<AgentDocument | undefined> {
    return this.updateOne(
      scope,
      { _id: id, isDeleted: false, status: { $ne: 'suspended' } },
      {
        $set: { ...secret, updatedAt: new Date() },
        $unset: { previousSecretHash: '', previousSecretProof: '', previousSecretUntil: '' },
        $inc: { tokenVersion: 1 },
      },
    );
  }

  /** For an agent nobody has heard of yet. */
  remove(scope: OrgScope, id: string): Promise<boolean> {
    return this.deleteOne(scope, { _id: id });
  }

  ofToken(scope: OrgScope, enrollmentId: string, page: Page): Promise<{ items: AgentDocument[]; total: number }> {
    return this.findPage(scope, { enrollmentId, isDeleted: false }, page);
  }

  async count(scope: OrgScope, enrollmentId: string): Promise<{ total: number; suspended: number }> {
    const filter = { enrollmentId, isDeleted: false };
    const [total, suspended] = await Promise.all([
      this.model.countDocuments(this.scoped(scope, filter)).exec(),
      this.model.countDocuments(this.scoped(scope, { ...filter, status: 'suspended' })).exec(),
    ]);
    return { total, suspended };
  }

  /** Ends every agent of a token by one update and answers which they were. */
  async endAll(scope: OrgScope, enrollmentId: string, end: GroupEnd, actor: string): Promise<string[]> {
    const living = this.scoped(scope, {
      enrollmentId,
      isDeleted: false,
      ...(end === 'suspend' && { status: { $ne: 'suspended' } }),
    });
    const ids = await this.model.find(living, { _id: 1 }).lean<{ _id: string }[]>().exec();
    const now = new Date();
    const changed = { updatedAt: now, updatedBy: actor };
    const update =
      end === 'suspend'
        ? { $set: { ...changed, status: 'suspended' as const }, $inc: { tokenVersion: 1 } }
        : {
            $set: { ...changed, isDeleted: true, deletedAt: now, connectedAt: null },
            $unset: {
              secretHash: '',
              previousSecretHash: '',
              previousSecretUntil: '',
              secretProof: '',
              previousSecretProof: '',
            },
            $inc: { tokenVersion: 1 },
          };
    await this.model.updateMany(living, update).exec();
    return ids.map(({ _id }) => _id);
  }
}
