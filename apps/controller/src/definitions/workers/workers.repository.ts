import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../../access/principal';
import { type Page, TenantRepository } from '../../database/tenant.repository';
import { WORKER, type WorkerDocument, workerSchema } from './worker.schema';

export type WorkerChange = Partial<Omit<WorkerDocument, '_id' | 'orgId' | 'createdAt' | 'skills'>>;

@Injectable()
export class WorkersRepository extends TenantRepository<WorkerDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<WorkerDocument>(WORKER, workerSchema));
  }

  /** Throws a duplicate key error where the name is taken. */
  create(scope: OrgScope, worker: Omit<WorkerDocument, 'orgId'>): Promise<WorkerDocument> {
    return this.insert(scope, worker);
  }

  get(scope: OrgScope, id: string): Promise<WorkerDocument | undefined> {
    return this.findOne(scope, { _id: id });
  }

  getByName(scope: OrgScope, name: string): Promise<WorkerDocument | undefined> {
    return this.findOne(scope, { name });
  }

  list(scope: OrgScope, page: Page): Promise<{ items: WorkerDocument[]; total: number }> {
    return this.findPage(scope, {}, page);
  }

  update(scope: OrgScope, id: string, change: WorkerChange): Promise<WorkerDocument | undefined> {
    return this.updateOne(scope, { _id: id }, { $set: change });
  }

  delete(scope: OrgScope, id: string): Promise<boolean> {
    return this.deleteOne(scope, { _id: id });
  }

  countByRuntime(scope: OrgScope, runtimeId: string): Promise<number> {
    return this.model.countDocuments(this.scoped(scope, { runtimeId })).exec();
  }

  addSkill(scope: OrgScope, id: string, skillId: string): Promise<WorkerDocument | undefined> {
    return this.updateOne(scope, { _id: id }, { $addToSet: { skills: skillId }, $set: { updatedAt: new Date() } });
  }

  removeSkill(scope: OrgScope, id: string, skillId: string): Promise<WorkerDocument | undefined> {
    return this.updateOne(scope, { _id: id }, { $pull: { skills: skillId }, $set: { updatedAt: new Date() } });
  }

  /** Ids of the workers a skill is assigned to. */
  async withSkill(scope: OrgScope, skillId: string): Promise<string[]> {
    return this.model.distinct('_id', this.scoped(scope, { skills: skillId })).exec();
  }

  async removeSkillEverywhere(scope: OrgScope, skillId: string): Promise<void> {
    const change = { $pull: { skills: skillId }, $set: { updatedAt: new Date() } };
    await this.model.updateMany(this.scoped(scope, { skills: skillId }), change).exec();
  }
}
