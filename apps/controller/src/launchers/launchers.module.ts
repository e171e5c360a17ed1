import { Module } from '@nestjs/common';
import { AgentsModule } from '../agents/agents.module';
import { AgentStoreModule } from '../agents/agent-store.module';
import { DefinitionsModule } from '../definitions/definitions.module';
import { ExternalLauncher } from './external/external-launcher';
import { Clusters } from './kubernetes/clusters/clusters';
import { KubernetesLauncher } from './kubernetes/kubernetes-launcher';
import { PoolClaimsController } from './kubernetes/pool/pool-claims.controller';
import { PoolClaims } from './kubernetes/pool/pool-claims.service';
import { PoolKeeper } from './kubernetes/pool/pool-keeper';
import { WarmBinder } from './kubernetes/pool/warm-binder';
import { WarmPods } from './kubernetes/pool/warm-pods';
import { WarmPoolStoreModule } from './kubernetes/pool/warm-pool-store.module';
import { Launchers } from './launchers';
import { ProcessLauncher } from './process/process-launcher';

@Module({
  imports: [AgentStoreModule, AgentsModule, DefinitionsModule, WarmPoolStoreModule],
  controllers: [PoolClaimsController],
  providers: [
    ProcessLauncher,
    Clusters,
    WarmPods,
    WarmBinder,
    PoolClaims,
    PoolKeeper,
    KubernetesLauncher,
    ExternalLauncher,
    Launchers,
  ],
  exports: [Launchers],
})
export class LaunchersModule {}
