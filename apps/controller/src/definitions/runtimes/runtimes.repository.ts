import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../../access/principal';
import { type Page, TenantRepository } from '../../database/tenant.repository';
import { RUNTIME, type RuntimeDocument, runtimeSchema } from './runtime.schema';

export type RuntimeChange = Partial<Omit<RuntimeDocument, '_id' | 'orgId' | 'createdAt'>>;

@Injectable()
export class RuntimesRepository extends TenantRepository<RuntimeDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<RuntimeDocument>(RUNTIME, runtimeSchema));
  }

  /** Throws a duplicate key error where the name is taken. */
  create(scope: OrgScope, runtime: Omit<RuntimeDocument, 'orgId'>): Promise<RuntimeDocument> {
    return this.insert(scope, runtime);
  }

  get(scope: OrgScope, id: string): Promise<RuntimeDocument | undefined> {
    return this.findOne(scope, { _id: id });
  }

  getByName(scope: OrgScope, name: string): Promise<RuntimeDocument | undefined> {
    return this.findOne(scope, { name });
  }

  list(scope: OrgScope, page: Page): Promise<{ items: RuntimeDocument[]; total: number }> {
    return this.findPage(scope, {}, page);
  }

  /** Without a tenant: for the loop that keeps warm pods. */
  withWarmPods(): Promise<RuntimeDocument[]> {
    return this.model
      .find({ warmPods: { $gt: 0 } })
      .lean<RuntimeDocument[]>()
      .exec();
  }

  update(scope: OrgScope, id: string, change: RuntimeChange): Promise<RuntimeDocument | undefined> {
    return this.updateOne(scope, { _id: id }, { $set: change });
  }

  delete(scope: OrgScope, id: string): Promise<boolean> {
    return this.deleteOne(scope, { _id: id });
  }
}
