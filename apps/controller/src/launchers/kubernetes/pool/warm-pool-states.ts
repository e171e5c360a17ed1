import { Injectable } from '@nestjs/common';
import { type WarmPoolView } from '@reins/shared/api/definitions';
import { type OrgScope } from '../../../access/principal';
import { WarmPoolStates } from '../../../definitions/runtimes/warm-pool-states';
import { WarmPodsRepository } from './warm-pods.repository';
import { WarmPoolsRepository } from './warm-pools.repository';

/** What is stored of a pool, as the runtime's own page shows it. */
@Injectable()
export class StoredWarmPoolStates extends WarmPoolStates {
  constructor(
    private readonly pods: WarmPodsRepository,
    private readonly pools: WarmPoolsRepository,
  ) {
    super();
  }

  async stateOf(scope: OrgScope, runtimeId: string): Promise<Omit<WarmPoolView, 'size'>> {
    const [counts, pool] = await Promise.all([
      this.pods.countUnclaimed(scope, runtimeId),
      this.pools.get(scope, runtimeId),
    ]);
    const error = pool?.lastError ?? null;
    return { ...counts, lastError: error && { ...error, at: error.at.toISOString() } };
  }
}
