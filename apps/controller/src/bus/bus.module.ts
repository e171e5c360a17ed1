import { Global, Module } from '@nestjs/common';
import { Background } from './background';
import { Bus } from './bus';
import { InstallationRepository } from '../launchers/kubernetes/installation.repository';
import { RedisConnections } from './redis';
import { SharedBus } from './shared-bus';

@Global()
@Module({
  providers: [Bus, Background, SharedBus, RedisConnections, InstallationRepository],
  exports: [Bus, Background, SharedBus, RedisConnections, InstallationRepository],
})
export class BusModule {}
