import { Module } from '@nestjs/common';
import { WarmPoolStates } from '../../../definitions/runtimes/warm-pool-states';
import { WarmPodsRepository } from './warm-pods.repository';
import { StoredWarmPoolStates } from './warm-pool-states';
import { WarmPoolsRepository } from './warm-pools.repository';

/** Stored warm pods, apart from what is done with them, so that a runtime can tell how many it has. */
@Module({
  providers: [WarmPodsRepository, WarmPoolsRepository, { provide: WarmPoolStates, useClass: StoredWarmPoolStates }],
  exports: [WarmPodsRepository, WarmPoolsRepository, WarmPoolStates],
})
export class WarmPoolStoreModule {}
