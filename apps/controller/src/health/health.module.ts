import { Global, Module } from '@nestjs/common';
import { DatabaseProbe } from './database-probe.repository';
import { HealthController } from './health.controller';
import { Readiness } from './readiness';

@Global()
@Module({ controllers: [HealthController], providers: [Readiness, DatabaseProbe], exports: [Readiness] })
export class HealthModule {}
