import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { LoggerModule } from 'nestjs-pino';
import { ZodValidationPipe } from 'nestjs-zod';
import { AccessGuard } from './access/access.guard';
import { AccessModule } from './access/access.module';
import { AgentsModule } from './agents/agents.module';
import { AuditModule } from './audit/audit.module';
import { BusModule } from './bus/bus.module';
import { EnrollmentModule } from './enrollment/enrollment.module';
import { ErrorFilter } from './common/error.filter';
import { loggerOptions } from './common/logger-options';
import { type Config } from './config/config';
import { ConfigModule } from './config/config.module';
import { DatabaseModule } from './database/database.module';
import { DefinitionsModule } from './definitions/definitions.module';
import { DownloadsModule } from './downloads/downloads.module';
import { HealthModule } from './health/health.module';
import { LinkModule } from './link/link.module';
import { McpModule } from './mcp/mcp.module';
import { MetricsModule } from './metrics/metrics.module';
import { OperationsModule } from './operations/operations.module';
import { ReplicasModule } from './replicas/replicas.module';
import { SessionsModule } from './sessions/sessions.module';

/** The whole controller. Guard, pipe and filter are bound here, so that whoever boots it has them. */
@Module({})
export class AppModule {
  static with(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.with(config),
        LoggerModule.forRoot(loggerOptions(config)),
        DatabaseModule,
        BusModule,
        ReplicasModule,
        AccessModule,
        AuditModule,
        MetricsModule,
        HealthModule,
        DefinitionsModule,
        McpModule,
        AgentsModule,
        EnrollmentModule,
        DownloadsModule,
        OperationsModule,
        SessionsModule,
        LinkModule,
      ],
      providers: [
        { provide: APP_GUARD, useExisting: AccessGuard },
        { provide: APP_PIPE, useClass: ZodValidationPipe },
        { provide: APP_FILTER, useClass: ErrorFilter },
      ],
    };
  }
}
