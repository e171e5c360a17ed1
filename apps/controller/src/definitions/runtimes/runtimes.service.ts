import { Injectable } from '@nestjs/common';
import { type CreateRuntime, type RuntimeView, type UpdateRuntime } from '@reins/shared/api/definitions';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { type OrgScope } from '../../access/principal';
import { AuditService } from '../../audit/audit.service';
import { Bus } from '../../bus/bus';
import { type Page } from '../../database/tenant.repository';
import { refuseTakenName } from '../taken-name';
import { WorkersRepository } from '../workers/workers.repository';
import { type RuntimeDocument } from './runtime.schema';
import { toRuntimeView } from './runtime.view';
import { RuntimesRepository } from './runtimes.repository';
import { WarmPoolStates } from './warm-pool-states';

/** Container images that workers run in. */
@Injectable()
export class RuntimesService {
  constructor(
    private readonly runtimes: RuntimesRepository,
    private readonly workers: WorkersRepository,
    private readonly audit: AuditService,
    private readonly warmPools: WarmPoolStates,
    private readonly bus: Bus,
  ) {}

  async create(scope: OrgScope, body: CreateRuntime, actor: string): Promise<RuntimeDocument> {
    const now = new Date();
    const runtime = { ...body, _id: newId('runtime'), createdAt: now, updatedAt: now };
    const created = await refuseTakenName(this.runtimes.create(scope, runtime), 'The name of the runtime');
    await this.record(scope, actor, 'created', null, created);
    return created;
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

  /** The runtime with what its warm pods are. */
  async view(scope: OrgScope, id: string): Promise<RuntimeView> {
    const runtime = await this.get(scope, id);
    const { warmPods: size = 0 } = runtime;
    const view = toRuntimeView(runtime);
    const state = await this.warmPools.stateOf(scope, id);
    return size === 0 && state.ready + state.starting === 0 ? view : { ...view, warmPool: { size, ...state } };
  }

  async update(scope: OrgScope, id: string, body: UpdateRuntime, actor: string): Promise<RuntimeDocument> {
    const before = await this.get(scope, id);
    const change = { ...body, updatedAt: new Date() };
    const after = found(await refuseTakenName(this.runtimes.update(scope, id, change), 'The name of the runtime'));
    await this.record(scope, actor, 'updated', before, after);
    return after;
  }

  /** Throws 409 in_use while a worker is defined on it. */
  async delete(scope: OrgScope, id: string, actor: string): Promise<void> {
    const before = await this.get(scope, id);
    const users = await this.workers.countByRuntime(scope, id);
    if (users > 0) {
      throw new ReinsError('in_use', {
        message: `The runtime is used by ${users} worker(s)`,
        details: { workers: users },
      });
    }
    if (!(await this.runtimes.delete(scope, id))) throw new ReinsError('runtime_not_found');
    await this.record(scope, actor, 'deleted', before, null);
  }

  private async record(
    scope: OrgScope,
    actor: string,
    what: 'created' | 'updated' | 'deleted',
    before: RuntimeDocument | null,
    after: RuntimeDocument | null,
  ): Promise<void> {
    await this.audit.record(scope, {
      actor,
      action: `runtime.${what}`,
      target: { type: 'runtime', id: (after ?? before)?._id ?? '' },
      before: before && toRuntimeView(before),
      after: after && toRuntimeView(after),
    });
    if (sizeOf(before) + sizeOf(after) > 0)
      this.bus.publish('pool.changed', { runtimeId: (after ?? before)?._id ?? '' });
  }
}

function sizeOf(runtime: RuntimeDocument | null): number {
  return runtime?.warmPods ?? 0;
}

function found(runtime: RuntimeDocument | undefined): RuntimeDocument {
  if (runtime === undefined) throw new ReinsError('runtime_not_found');
  return runtime;
}
