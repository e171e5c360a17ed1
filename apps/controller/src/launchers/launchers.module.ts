import { Module } from '@nestjs/common';
import { AgentStoreModule } from '../agents/agent-store.module';
import { ExternalLauncher } from './external/external-launcher';
import { Launchers } from './launchers';
import { ProcessLauncher } from './process/process-launcher';

@Module({
  imports: [AgentStoreModule],
  providers: [ProcessLauncher, ExternalLauncher, Launchers],
  exports: [Launchers],
})
export class LaunchersModule {}
