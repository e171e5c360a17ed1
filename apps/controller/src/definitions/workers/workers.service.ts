import { Injectable } from '@nestjs/common';
import { type CreateWorker, type UpdateWorker } from '@reins/shared/api/definitions';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { type OrgScope } from '../../access/principal';
import { Config } from '../../config/config';
import { type Page } from '../../database/tenant.repository';
import { checkRepositoryUrl, redactRepositoryUrl } from '../repository-url';
import { RuntimesRepository } from '../runtimes/runtimes.repository';
import { type SkillDocument } from '../skills/skill.schema';
import { SkillsRepository } from '../skills/skills.repository';
import { refuseTakenName } from '../taken-name';
import { type WorkerDocument } from './worker.schema';
import { WorkersRepository } from './workers.repository';

/** Definitions of virtual team members. */
@Injectable()
export class WorkersService {
  constructor(
    private readonly config: Config,
    private readonly workers: WorkersRepository,
    private readonly runtimes: RuntimesRepository,
    private readonly skills: SkillsRepository,
  ) {}

  /** Throws 400 where the runtime does not exist or the repository is refused, 409 where the name is taken. */
  async create(scope: OrgScope, body: CreateWorker): Promise<WorkerDocument> {
    this.checkRepository(body.workerRepoUrl);
    await this.checkRuntime(scope, body.runtimeId);
    const now = new Date();
    const worker = { ...body, _id: newId('worker'), skills: [], createdAt: now, updatedAt: now };
    return refuseTakenName(this.workers.create(scope, worker), 'The name of the worker');
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

  async update(scope: OrgScope, id: string, body: UpdateWorker): Promise<WorkerDocument> {
    const stored = await this.get(scope, id);
    const change = { ...body, updatedAt: new Date() };
    if (stored.workerRepoUrl !== undefined && body.workerRepoUrl === redactRepositoryUrl(stored.workerRepoUrl)) {
      // A client that writes back what it was shown does not mean to replace the credentials by stars.
      change.workerRepoUrl = stored.workerRepoUrl;
    }
    this.checkRepository(change.workerRepoUrl);
    if (body.runtimeId !== undefined) await this.checkRuntime(scope, body.runtimeId);
    return found(await refuseTakenName(this.workers.update(scope, id, change), 'The name of the worker'));
  }

  async delete(scope: OrgScope, id: string): Promise<void> {
    if (!(await this.workers.delete(scope, id))) throw new ReinsError('worker_not_found');
  }

  async skillsOf(scope: OrgScope, id: string): Promise<SkillDocument[]> {
    const { skills } = await this.get(scope, id);
    return this.skills.getAll(scope, skills);
  }

  /** Assigning twice is assigning once. Throws 404 for an unknown worker or skill. */
  async addSkill(scope: OrgScope, id: string, skillId: string): Promise<void> {
    const [skill] = await this.skills.getAll(scope, [skillId]);
    if (skill === undefined) {
      await this.get(scope, id);
      throw new ReinsError('skill_not_found');
    }
    found(await this.workers.addSkill(scope, id, skillId));
  }

  /** Taking away what was not assigned is done already. */
  async removeSkill(scope: OrgScope, id: string, skillId: string): Promise<void> {
    found(await this.workers.removeSkill(scope, id, skillId));
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
