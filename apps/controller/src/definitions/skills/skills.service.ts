import { Injectable } from '@nestjs/common';
import { type UpdateSkill } from '@reins/shared/api/definitions';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope } from '../../access/principal';
import { type Page } from '../../database/tenant.repository';
import { refuseTakenName } from '../taken-name';
import { WorkersRepository } from '../workers/workers.repository';
import { type SkillDocument } from './skill.schema';
import { SkillsRepository } from './skills.repository';

/** What is known about skill packages. */
@Injectable()
export class SkillsService {
  constructor(
    private readonly skills: SkillsRepository,
    private readonly workers: WorkersRepository,
  ) {}

  list(scope: OrgScope, page: Page): Promise<{ items: SkillDocument[]; total: number }> {
    return this.skills.list(scope, page);
  }

  /** Throws 404 skill_not_found. */
  async get(scope: OrgScope, id: string): Promise<SkillDocument> {
    return found(await this.skills.get(scope, id));
  }

  async getByName(scope: OrgScope, name: string, version: string): Promise<SkillDocument> {
    return found(await this.skills.getByName(scope, name, version));
  }

  async update(scope: OrgScope, id: string, body: UpdateSkill): Promise<SkillDocument> {
    const change = { ...body, updatedAt: new Date() };
    return found(await refuseTakenName(this.skills.update(scope, id, change), 'This version of the skill'));
  }

  /** Takes it away from the workers first, so that none keeps a skill that is gone. */
  async delete(scope: OrgScope, id: string): Promise<void> {
    await this.get(scope, id);
    await this.workers.removeSkillEverywhere(scope, id);
    if (!(await this.skills.delete(scope, id))) throw new ReinsError('skill_not_found');
  }
}

function found(skill: SkillDocument | undefined): SkillDocument {
  if (skill === undefined) throw new ReinsError('skill_not_found');
  return skill;
}
