import { Injectable } from '@nestjs/common';
import { type CreateWorker, type UpdateWorker } from '@reins/shared/api/definitions';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { type OrgScope } from '../../access/principal';
import { AuditService } from '../../audit/audit.service';
import { Bus } from '../../bus/bus';
import { Config } from '../../config/config';
import { type Page } from '../../database/tenant.repository';
import { checkRepositoryUrl, redactRepositoryUrl } from '../repository-url';
import { RuntimesRepository } from '../runtimes/runtimes.repository';
import { type SkillDocument } from '../skills/skill.schema';
import { SkillsRepository } from '../skills/skills.repository';
import { refuseTakenName } from '../taken-name';
import { type WorkerDocument } from './worker.schema';
import { toWorkerView } from './worker.view';
import { WorkersRepository } from './workers.repository';

/** Definitions of virtual team members. */
@Injectable()
export class WorkersService {
  constructor(
    private readonly config: Config,
    private readonly workers: WorkersRepository,
    private readonly runtimes: RuntimesRepository,
    private readonly skills: SkillsRepository,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  /** Throws 400 where the runtime does not exist or the repository is refused, 409 where the name is taken. */
  async create(scope: OrgScope, body: CreateWorker, actor: string): Promise<WorkerDocument> {
    this.checkRepository(body.workerRepoUrl);
    await this.checkRuntime(scope, body.runtimeId);
    const now = new Date();
    const worker = { ...body, _id: newId('worker'), skills: [], createdAt: now, updatedAt: now };
    const created = await refuseTakenName(this.workers.create(scope, worker), 'The name of the worker');
    await this.record(scope, actor, 'created', null, created);
    return created;
  }

  list(scope: OrgScope, page: Page): Promise<{ items: WorkerDocument[]; total: number }> {
    return this.workers.list(scope, page);
  }

  /** Throws 404 worker_not_found. */
  async get(scope: OrgScope, id: string): Promise<WorkerDocument> {
    return found(await this.workers.get(scope, id));
  }

  async getByName(scope: OrgScope, name: string): Promise<WorkerDocument> {
    return found(await this.workers.getByName(scope, name));
  }

  /** What living sessions of the worker get of it changes with their next turn. */
  async update(scope: OrgScope, id: string, body: UpdateWorker, actor: string): Promise<WorkerDocument> {
    const stored = await this.get(scope, id);
    const change = { ...body, updatedAt: new Date() };
    if (stored.workerRepoUrl !== undefined && body.workerRepoUrl === redactRepositoryUrl(stored.workerRepoUrl)) {
      // A client that writes back what it was shown does not mean to replace the credentials by stars.
      change.workerRepoUrl = stored.workerRepoUrl;
    }
    this.checkRepository(change.workerRepoUrl);
    if (body.runtimeId !== undefined) await this.checkRuntime(scope, body.runtimeId);
    const updated = found(await refuseTakenName(this.workers.update(scope, id, change), 'The name of the worker'));
    await this.changed(scope, actor, stored, updated);
    return updated;
  }

  async delete(scope: OrgScope, id: string, actor: string): Promise<void> {
    const stored = await this.get(scope, id);
    if (!(await this.workers.delete(scope, id))) throw new ReinsError('worker_not_found');
    this.bus.publish('definition.changed', { orgId: scope.orgId, kind: 'worker', id });
    await this.record(scope, actor, 'deleted', stored, null);
  }

  async skillsOf(scope: OrgScope, id: string): Promise<SkillDocument[]> {
    const { skills } = await this.get(scope, id);
    return this.skills.getAll(scope, skills);
  }

  /** The workers a skill is assigned to. */
  idsWithSkill(scope: OrgScope, skillId: string): Promise<string[]> {
    return this.workers.withSkill(scope, skillId);
  }

  /** Assigning twice is assigning once. Throws 404 for an unknown worker or skill. */
  async addSkill(scope: OrgScope, id: string, skillId: string, actor: string): Promise<void> {
    const stored = await this.get(scope, id);
    const [skill] = await this.skills.getAll(scope, [skillId]);
    if (skill === undefined) throw new ReinsError('skill_not_found');
    await this.changed(scope, actor, stored, found(await this.workers.addSkill(scope, id, skillId)));
  }

  /** Taking away what was not assigned is done already. */
  async removeSkill(scope: OrgScope, id: string, skillId: string, actor: string): Promise<void> {
    const stored = await this.get(scope, id);
    await this.changed(scope, actor, stored, found(await this.workers.removeSkill(scope, id, skillId)));
  }

  /** Rings first: those who wait for the edit need not wait for its entry in the trail. */
  private async changed(scope: OrgScope, actor: string, before: WorkerDocument, after: WorkerDocument): Promise<void> {
    this.bus.publish('definition.changed', { orgId: scope.orgId, kind: 'worker', id: after._id });
    await this.record(scope, actor, 'updated', before, after);
  }

  private async record(
    scope: OrgScope,
    actor: string,
    what: 'created' | 'updated' | 'deleted',
    before: WorkerDocument | null,
    after: WorkerDocument | null,
  ): Promise<void> {
    await this.audit.record(scope, {
      actor,
      action: `worker.${what}`,
      target: { type: 'worker', id: (after ?? before)?._id ?? '' },
      before: before && toWorkerView(before),
      after: after && toWorkerView(after),
    });
  }

  private checkRepository(url: string | undefined): void {
    if (url !== undefined) checkRepositoryUrl(url, this.config.env.REPOSITORY_SCHEMES, 'workerRepoUrl');
  }

  private async checkRuntime(scope: OrgScope, runtimeId: string): Promise<void> {
    if ((await this.runtimes.get(scope, runtimeId)) !== undefined) return;
    const message = 'no runtime of this organisation has this id';
    throw new ReinsError('validation_failed', { details: [{ path: 'runtimeId', message, code: 'not_found' }] });
  }
}

function found(worker: WorkerDocument | undefined): WorkerDocument {
  if (worker === undefined) throw new ReinsError('worker_not_found');
  return worker;
}
