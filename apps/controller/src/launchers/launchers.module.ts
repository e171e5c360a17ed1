import { Module } from '@nestjs/common';
import { AgentStoreModule } from '../agents/agent-store.module';
import { ExternalLauncher } from './external/external-launcher';
import { Clusters } from './kubernetes/clusters/clusters';
import { InstallationRepository } from './kubernetes/installation.repository';
import { KubernetesLauncher } from './kubernetes/kubernetes-launcher';
import { Launchers } from './launchers';
import { ProcessLauncher } from './process/process-launcher';

@Module({
  imports: [AgentStoreModule],
  providers: [ProcessLauncher, Clusters, InstallationRepository, KubernetesLauncher, ExternalLauncher, Launchers],
  exports: [Launchers],
})
export class LaunchersModule {}
