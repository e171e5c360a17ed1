import { Controller, Get, Headers, Param, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import {
  AgentEventCursor,
  type AgentEventPage,
  AgentEventsQuery,
  type AgentMetricsPage,
  AgentMetricsQuery,
} from '@reins/shared/api/agent-presence';
import { HEADERS } from '@reins/shared/api/common';
import { ReinsError } from '@reins/shared/errors';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller } from '../../access/decorators';
import { type Principal, scopeOf } from '../../access/principal';
import { AgentIdPipe } from '../agent-id';
import { AgentsService } from '../agents.service';
import { AgentEvents } from './agent-events';
import { AgentEventStreams } from './agent-event.streams';
import { AgentMetrics } from './agent-metrics';

class AgentEventsQueryDto extends createZodDto(AgentEventsQuery) {}
class AgentMetricsQueryDto extends createZodDto(AgentMetricsQuery) {}

/** Who came and went, and what they said of themselves meanwhile. */
@ApiTags('agents')
@Controller('agents')
export class PresenceController {
  constructor(
    private readonly agents: AgentsService,
    private readonly events: AgentEvents,
    private readonly streams: AgentEventStreams,
    private readonly metrics: AgentMetrics,
  ) {}

  @Get('events')
  @ApiOperation({ summary: "Follow the presence of the organisation's agents by SSE" })
  @ApiProduces('text/event-stream')
  @ApiResponse({ status: 200, description: 'Events from now on, or after Last-Event-ID' })
  follow(
    @Caller() caller: Principal,
    @Headers(HEADERS.lastEventId) lastEventId: string | undefined,
    @Res() response: Response,
  ): void {
    this.streams.follow(caller, cursorOf(lastEventId), response);
  }

  @Get(':id/events')
  @ApiOperation({ summary: 'What happened to the presence of an agent, newest first' })
  @ApiResponse({ status: 200, description: 'One page, and the cursor of the next' })
  async list(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Query() query: AgentEventsQueryDto,
  ): Promise<AgentEventPage> {
    const scope = scopeOf(caller);
    await this.agents.get(scope, id);
    return this.events.page(scope, id, query);
  }

  @Get(':id/metrics')
  @ApiOperation({ summary: 'Status and metrics of the heartbeats of an agent, at most one a minute, newest first' })
  @ApiResponse({ status: 200, description: 'One page, and the cursor of the next' })
  async history(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Query() query: AgentMetricsQueryDto,
  ): Promise<AgentMetricsPage> {
    const scope = scopeOf(caller);
    await this.agents.get(scope, id);
    return this.metrics.page(scope, id, query);
  }
}

function cursorOf(lastEventId: string | undefined): string | undefined {
  const parsed = AgentEventCursor.safeParse(lastEventId === '' ? undefined : lastEventId);
  if (parsed.success) return parsed.data;
  const details = [{ path: 'Last-Event-ID', message: 'must be the id of an event of agents', code: 'invalid' }];
  throw new ReinsError('validation_failed', { details });
}
