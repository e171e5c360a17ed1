import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../../access/principal';
import { type Page, TenantRepository } from '../../database/tenant.repository';
import { SKILL, type SkillDocument, skillSchema } from './skill.schema';

export type SkillChange = Partial<Omit<SkillDocument, '_id' | 'orgId' | 'createdAt' | 'sha256' | 'sizeBytes'>>;

@Injectable()
export class SkillsRepository extends TenantRepository<SkillDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<SkillDocument>(SKILL, skillSchema));
  }

  get(scope: OrgScope, id: string): Promise<SkillDocument | undefined> {
    return this.findOne(scope, { _id: id });
  }

  /** Those of the ids that exist, oldest first. */
  getAll(scope: OrgScope, ids: readonly string[]): Promise<SkillDocument[]> {
    return this.model
      .find(this.scoped(scope, { _id: { $in: [...ids] } }))
      .sort({ _id: 1 })
      .lean<SkillDocument[]>()
      .exec();
  }

  getByName(scope: OrgScope, name: string, version: string): Promise<SkillDocument | undefined> {
    return this.findOne(scope, { name, version });
  }

  list(scope: OrgScope, page: Page): Promise<{ items: SkillDocument[]; total: number }> {
    return this.findPage(scope, {}, page);
  }

  update(scope: OrgScope, id: string, change: SkillChange): Promise<SkillDocument | undefined> {
    return this.updateOne(scope, { _id: id }, { $set: change });
  }

  delete(scope: OrgScope, id: string): Promise<boolean> {
    return this.deleteOne(scope, { _id: id });
  }
}
