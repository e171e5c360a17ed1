import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { ReinsError } from '@reins/shared/errors';
import { Public } from '../access/decorators';
import { Bus } from '../bus/bus';
import { Config } from '../config/config';
import { DatabaseProbe } from './database-probe.repository';
import { Readiness } from './readiness';
import { SERVICE, VERSION } from './version';

const PING_MS = 2_000;

@ApiTags('health')
@Controller()
@Public()
export class HealthController {
  constructor(
    private readonly config: Config,
    private readonly readiness: Readiness,
    private readonly database: DatabaseProbe,
    private readonly bus: Bus,
  ) {}

  @Get()
  @ApiOperation({ summary: 'What this is' })
  @ApiResponse({ status: 200, description: 'service and version' })
  root(): { service: string; version: string } {
    return { service: SERVICE, version: VERSION };
  }

  @Get('health')
  @ApiOperation({ summary: 'Whether the process is alive; says nothing about the database' })
  @ApiResponse({ status: 200, description: 'It is' })
  health(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  @ApiOperation({ summary: 'Whether requests should be sent here' })
  @ApiResponse({ status: 200, description: 'Ready' })
  @ApiResponse({ status: 503, description: 'The database does not answer, or the controller is shutting down' })
  async ready(): Promise<{ status: 'ready'; checks: { database: 'up'; redis?: 'up' | 'down' } }> {
    if (this.readiness.draining) throw new ReinsError('draining');
    if (!(await this.database.answers(PING_MS))) throw new ReinsError('database_unavailable');
    // Without its Redis a controller serves on, only slower where others are concerned.
    const redis = this.bus.isShared ? { redis: this.bus.isHeard ? ('up' as const) : ('down' as const) } : {};
    return { status: 'ready', checks: { database: 'up', ...redis } };
  }

  @Get('status')
  @ApiOperation({ summary: 'Version, uptime in seconds and environment' })
  @ApiResponse({ status: 200, description: 'service, version, uptime, environment' })
  status(): { service: string; version: string; uptime: number; environment: string } {
    return { service: SERVICE, version: VERSION, uptime: process.uptime(), environment: this.config.env.NODE_ENV };
  }
}
