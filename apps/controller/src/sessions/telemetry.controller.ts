import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HEADERS, PageQuery } from '@reins/shared/api/common';
import { type SessionStats, type TurnView } from '@reins/shared/api/sessions';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller, ViewerRoute } from '../access/decorators';
import { type Principal, scopeOf } from '../access/principal';
import { TurnsService } from '../turns/turns.service';
import { SessionsService } from './sessions.service';
import { toTurnView } from './turn-answer';

class PageQueryDto extends createZodDto(PageQuery) {}

@ApiTags('telemetry')
@Controller('sessions/:id')
export class TelemetryController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly turns: TurnsService,
  ) {}

  @Get('telemetry')
  @ViewerRoute()
  @ApiOperation({ summary: 'Every prompt with its answer, tokens, timing and artifacts, newest first' })
  async telemetry(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Query() page: PageQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TurnView[]> {
    const scope = scopeOf(caller);
    await this.sessions.get(scope, id);
    const { items, total } = await this.turns.list(scope, id, page);
    response.setHeader(HEADERS.totalCount, total);
    return items.map(toTurnView);
  }

  @Get('turns/:turnId')
  @ViewerRoute()
  @ApiOperation({ summary: 'One prompt with its answer' })
  async turn(@Caller() caller: Principal, @Param('id') id: string, @Param('turnId') turnId: string): Promise<TurnView> {
    const scope = scopeOf(caller);
    await this.sessions.get(scope, id);
    return toTurnView(await this.turns.get(scope, id, turnId));
  }

  @Get('stats')
  @ViewerRoute()
  @ApiOperation({ summary: 'Sums over all prompts of a session' })
  async stats(@Caller() caller: Principal, @Param('id') id: string): Promise<SessionStats> {
    const scope = scopeOf(caller);
    await this.sessions.get(scope, id);
    const totals = await this.turns.totals(scope, id);
    const { totalRequests, totalDurationMs } = totals;
    return { ...totals, avgDurationMs: totalRequests === 0 ? 0 : Math.round(totalDurationMs / totalRequests) };
  }
}
