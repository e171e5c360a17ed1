import { Global, Module } from '@nestjs/common';
import { Background } from './background';
import { Bus } from './bus';

@Global()
@Module({ providers: [Bus, Background], exports: [Bus, Background] })
export class BusModule {}
