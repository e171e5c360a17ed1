import { Injectable } from '@nestjs/common';
import { type UpdateSkill } from '@reins/shared/api/definitions';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope } from '../../access/principal';
import { AuditService } from '../../audit/audit.service';
import { Bus } from '../../bus/bus';
import { type Page } from '../../database/tenant.repository';
import { refuseTakenName } from '../taken-name';
import { WorkersRepository } from '../workers/workers.repository';
import { type SkillDocument } from './skill.schema';
import { toSkillView } from './skill.view';
import { SkillsRepository } from './skills.repository';

/** What is known about skill packages. */
@Injectable()
export class SkillsService {
  constructor(
    private readonly skills: SkillsRepository,
    private readonly workers: WorkersRepository,
    private readonly audit: AuditService,
    private readonly bus: Bus,
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

  async update(scope: OrgScope, id: string, body: UpdateSkill, actor: string): Promise<SkillDocument> {
    const before = await this.get(scope, id);
    const change = { ...body, updatedAt: new Date() };
    const after = found(await refuseTakenName(this.skills.update(scope, id, change), 'This version of the skill'));
    this.bus.publish('definition.changed', { orgId: scope.orgId, kind: 'skill', id });
    const views = { before: toSkillView(before), after: toSkillView(after) };
    await this.audit.record(scope, { actor, action: 'skill.updated', target: { type: 'skill', id }, ...views });
    return after;
  }

  /** Takes it away from the workers first, so that none keeps a skill that is gone. */
  async delete(scope: OrgScope, id: string, actor: string): Promise<void> {
    const before = toSkillView(await this.get(scope, id));
    const workers = await this.workers.withSkill(scope, id);
    await this.workers.removeSkillEverywhere(scope, id);
    for (const worker of workers) {
      this.bus.publish('definition.changed', { orgId: scope.orgId, kind: 'worker', id: worker });
    }
    if (!(await this.skills.delete(scope, id))) throw new ReinsError('skill_not_found');
    await this.audit.record(scope, { actor, action: 'skill.deleted', target: { type: 'skill', id }, before });
  }
}

function found(skill: SkillDocument | undefined): SkillDocument {
  if (skill === undefined) throw new ReinsError('skill_not_found');
  return skill;
}
