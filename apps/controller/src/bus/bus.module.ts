import { Global, Module } from '@nestjs/common';
import { Background } from './background';
import { Bus } from './bus';
import { RedisConnections } from './redis';
import { SharedBus } from './shared-bus';

@Global()
@Module({
  providers: [Bus, Background, SharedBus, RedisConnections],
  exports: [Bus, Background, SharedBus, RedisConnections],
})
export class BusModule {}
