import { Body, Controller, Get, Headers, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { HEADERS } from '@reins/shared/api/common';
import { AbortRequest, PromptRequest, type PromptResponse } from '@reins/shared/api/sessions';
import { ReinsError } from '@reins/shared/errors';
import { type Request, type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { AgentRoute, Caller } from '../access/decorators';
import { type Principal, scopeOf } from '../access/principal';
import { ClientGone } from '../common/client-gone';
import { TurnsService } from '../turns/turns.service';
import { PromptStreams } from './prompt-streams';
import { SessionsService } from './sessions.service';
import { TurnAnswers } from './turn-answer';

class PromptDto extends createZodDto(PromptRequest) {}
class AbortDto extends createZodDto(AbortRequest) {}

@ApiTags('prompts')
@Controller('sessions/:id')
export class PromptsController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly turns: TurnsService,
    private readonly answers: TurnAnswers,
    private readonly streams: PromptStreams,
  ) {}

  @Post('prompt')
  @HttpCode(200)
  @ApiOperation({ summary: 'Run a prompt and wait for its whole answer; it goes on when the caller hangs up' })
  @ApiHeader({ name: HEADERS.idempotencyKey, required: false })
  async prompt(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Body() body: PromptDto,
    @Headers(HEADERS.idempotencyKey) key: string | undefined,
    @Req() request: Request,
  ): Promise<PromptResponse> {
    const scope = scopeOf(caller);
    const turn = await this.sessions.prompt(scope, id, caller.actor, body, key);
    const ended = await this.turns.ended(scope, turn, new ClientGone(request).signal);
    return this.answers.answer(scope, ended);
  }

  @Post('stream')
  @HttpCode(200)
  @ApiOperation({ summary: 'Run a prompt and stream what happens as server-sent events' })
  @ApiProduces('text/event-stream')
  @ApiHeader({ name: HEADERS.idempotencyKey, required: false })
  async stream(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Body() body: PromptDto,
    @Headers(HEADERS.idempotencyKey) key: string | undefined,
    @Headers(HEADERS.lastEventId) lastEventId: string | undefined,
    @Res() response: Response,
  ): Promise<void> {
    const scope = scopeOf(caller);
    const turn = await this.sessions.prompt(scope, id, caller.actor, body, key);
    await this.streams.stream(scope, turn, lastEventId, response);
  }

  @Post('abort')
  @HttpCode(200)
  @ApiOperation({ summary: 'Abort the live turn of a lane, else its queued ones; answers when the cancel is durable' })
  async abort(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Body() body: AbortDto,
  ): Promise<{ status: 'aborted' }> {
    await this.sessions.abort(scopeOf(caller), id, body);
    return { status: 'aborted' };
  }

  @Get('turns/:turnId/prompt')
  @AgentRoute()
  @ApiOperation({ summary: 'The text of a prompt that was too long for the link' })
  async promptText(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Param('turnId') turnId: string,
  ): Promise<{ prompt: string }> {
    const turn = await this.turns.get(scopeOf(caller), id, turnId);
    if (caller.kind === 'agent' && turn.agentId !== caller.agentId) throw new ReinsError('forbidden');
    return { prompt: turn.prompt };
  }
}
