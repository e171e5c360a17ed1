import { Injectable } from '@nestjs/common';
import { type CreateRuntime, type UpdateRuntime } from '@reins/shared/api/definitions';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { type OrgScope } from '../../access/principal';
import { type Page } from '../../database/tenant.repository';
import { refuseTakenName } from '../taken-name';
import { WorkersRepository } from '../workers/workers.repository';
import { type RuntimeDocument } from './runtime.schema';
import { RuntimesRepository } from './runtimes.repository';

/** Container images that workers run in. */
@Injectable()
export class RuntimesService {
  constructor(
    private readonly runtimes: RuntimesRepository,
    private readonly workers: WorkersRepository,
  ) {}

  create(scope: OrgScope, body: CreateRuntime): Promise<RuntimeDocument> {
    const now = new Date();
    const runtime = { ...body, _id: newId('runtime'), createdAt: now, updatedAt: now };
    return refuseTakenName(this.runtimes.create(scope, runtime), 'The name of the runtime');
  }

  list(scope: OrgScope, page: Page): Promise<{ items: RuntimeDocument[]; total: number }> {
    return this.runtimes.list(scope, page);
  }

  /** Throws 404 runtime_not_found. */
  async get(scope: OrgScope, id: string): Promise<RuntimeDocument> {
    return found(await this.runtimes.get(scope, id));
  }

  async getByName(scope: OrgScope, name: string): Promise<RuntimeDocument> {
    return found(await this.runtimes.getByName(scope, name));
  }

  async update(scope: OrgScope, id: string, body: UpdateRuntime): Promise<RuntimeDocument> {
    const change = { ...body, updatedAt: new Date() };
    return found(await refuseTakenName(this.runtimes.update(scope, id, change), 'The name of the runtime'));
  }

  /** Throws 409 in_use while a worker is defined on it. */
  async delete(scope: OrgScope, id: string): Promise<void> {
    const users = await this.workers.countByRuntime(scope, id);
    if (users > 0) {
      throw new ReinsError('in_use', {
        message: `The runtime is used by ${users} worker(s)`,
        details: { workers: users },
      });
    }
    if (!(await this.runtimes.delete(scope, id))) throw new ReinsError('runtime_not_found');
  }
}

function found(runtime: RuntimeDocument | undefined): RuntimeDocument {
  if (runtime === undefined) throw new ReinsError('runtime_not_found');
  return runtime;
}
