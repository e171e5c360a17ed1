import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../../../access/principal';
import { TenantRepository } from '../../../database/tenant.repository';
import { WARM_POOL, type WarmPoolDocument, warmPoolSchema } from './warm-pool.schema';

/** What is remembered of each runtime's warm pods beside the pods, so that a new leader goes on where the last one was. */
@Injectable()
export class WarmPoolsRepository extends TenantRepository<WarmPoolDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<WarmPoolDocument>(WARM_POOL, warmPoolSchema));
  }

  get(scope: OrgScope, runtimeId: string): Promise<WarmPoolDocument | undefined> {
    return this.findOne(scope, { _id: runtimeId });
  }

  async put(scope: OrgScope, pool: Omit<WarmPoolDocument, 'orgId'>): Promise<void> {
    const { _id, ...fields } = pool;
    await this.model.updateOne(this.scoped(scope, { _id }), { $set: fields }, { upsert: true }).exec();
  }

  /** One started: what went wrong before is over. */
  async noteStarted(scope: OrgScope, runtimeId: string): Promise<void> {
    await this.updateOne(scope, { _id: runtimeId }, { $set: { failures: 0, notBefore: null, lastError: null } });
  }

  async remove(scope: OrgScope, runtimeId: string): Promise<void> {
    await this.deleteOne(scope, { _id: runtimeId });
  }

  /** Whether sessions of this kind are meant to find a warm pod. */
  async isWanted(scope: OrgScope, key: string): Promise<boolean> {
    return (await this.findOne(scope, { key })) !== undefined;
  }

  /** Without a tenant: for the loop that keeps the pools. */
  all(): Promise<WarmPoolDocument[]> {
    return this.model.find().lean<WarmPoolDocument[]>().exec();
  }
}
