import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { HEADERS, PageQuery } from '@reins/shared/api/common';
import { CreateSession, type SessionView } from '@reins/shared/api/sessions';
import { SESSION_STATES } from '@reins/shared/state';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Area, Caller, ViewerRoute } from '../access/decorators';
import { type Principal, scopeOf } from '../access/principal';
import { toSessionView } from './session-view';
import { SessionsService } from './sessions.service';

class CreateSessionDto extends createZodDto(CreateSession) {}
class ListQueryDto extends createZodDto(
  PageQuery.extend({ status: z.enum(SESSION_STATES).optional(), workerId: z.string().max(64).optional() }),
) {}
class PageQueryDto extends createZodDto(PageQuery) {}

@ApiTags('sessions')
@Controller()
@Area('sessions')
export class SessionsController {
  constructor(private readonly sessions: SessionsService) {}

  @Post('sessions')
  @ApiOperation({ summary: 'Create a session; a harness is started for it, or a connected agent is given it' })
  @ApiHeader({ name: HEADERS.idempotencyKey, required: false })
  async create(
    @Caller() caller: Principal,
    @Body() body: CreateSessionDto,
    @Headers(HEADERS.idempotencyKey) key: string | undefined,
  ): Promise<SessionView> {
    return toSessionView(await this.sessions.create(scopeOf(caller), caller.actor, body, key));
  }

  @Get('sessions')
  @ApiOperation({ summary: 'Sessions, newest first' })
  async list(
    @Caller() caller: Principal,
    @Query() query: ListQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SessionView[]> {
    const { status, workerId, limit, offset } = query;
    const filter = { ...(status && { status }), ...(workerId && { workerId }) };
    return this.page(caller, filter, { limit, offset }, response);
  }

  @Get('sessions/:id')
  @ViewerRoute()
  @ApiOperation({ summary: 'One session: its state, and why it is in it' })
  async get(@Caller() caller: Principal, @Param('id') id: string): Promise<SessionView> {
    return toSessionView(await this.sessions.get(scopeOf(caller), id));
  }

  @Delete('sessions/:id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'End a session: running work is cancelled, changes are committed and pushed, the harness stops',
  })
  async end(@Caller() caller: Principal, @Param('id') id: string): Promise<void> {
    await this.sessions.end(scopeOf(caller), id, caller.actor);
  }

  @Post('sessions/:id/suspend')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Stop the harness of an idle session and keep its workspace; the next prompt starts another one in it',
  })
  async suspend(@Caller() caller: Principal, @Param('id') id: string): Promise<SessionView> {
    return toSessionView(await this.sessions.suspend(scopeOf(caller), id, caller.actor));
  }

  @Get('admin/workers/:id/sessions')
  @ApiOperation({ summary: 'Sessions of one worker, newest first' })
  async ofWorker(
    @Caller() caller: Principal,
    @Param('id') workerId: string,
    @Query() page: PageQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SessionView[]> {
    return this.page(caller, { workerId }, page, response);
  }

  private async page(
    caller: Principal,
    filter: Parameters<SessionsService['list']>[1],
    page: PageQuery,
    response: Response,
  ): Promise<SessionView[]> {
    const { items, total } = await this.sessions.list(scopeOf(caller), filter, page);
    response.setHeader(HEADERS.totalCount, total);
    return items.map(toSessionView);
  }
}
