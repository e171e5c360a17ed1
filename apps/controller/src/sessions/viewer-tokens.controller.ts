import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type CreatedViewerToken, CreateViewerToken, type ViewerTokenView } from '@reins/shared/api/access';
import { HEADERS, PageQuery } from '@reins/shared/api/common';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller, Needs } from '../access/decorators';
import { demand, type Principal, scopeOf } from '../access/principal';
import { toViewerTokenView } from '../access/viewer-token.view';
import { ViewerTokensService } from '../access/viewer-tokens.service';
import { SessionsService } from './sessions.service';

class CreateViewerTokenDto extends createZodDto(CreateViewerToken) {}
class ViewerTokenPageDto extends createZodDto(PageQuery) {}

@ApiTags('viewer tokens')
@Controller('sessions/:id/viewer-tokens')
@Needs('write')
export class ViewerTokensController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly tokens: ViewerTokensService,
  ) {}

  @Post()
  @ApiOperation({ summary: 'Create a token that may watch this session and nothing else' })
  @ApiResponse({ status: 201, description: 'The token, shown this once' })
  async create(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Body() body: CreateViewerTokenDto,
  ): Promise<CreatedViewerToken> {
    // What a key may not read itself, it cannot show to others.
    demand(caller, 'read', 'sessions');
    const scope = scopeOf(caller);
    await this.sessions.get(scope, id);
    const { token, stored } = await this.tokens.create(scope, id, body, caller.actor);
    return { id: stored._id, token, sessionId: id, expiresAt: stored.expiresAt.toISOString() };
  }

  @Get()
  @Needs('read')
  @ApiOperation({ summary: "List a session's viewer tokens, newest first" })
  @ApiResponse({
    status: 200,
    description: 'A bare array without the tokens themselves; X-Total-Count has the number of all',
  })
  async list(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Query() query: ViewerTokenPageDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ViewerTokenView[]> {
    const scope = scopeOf(caller);
    await this.sessions.get(scope, id);
    const { items, total } = await this.tokens.list(scope, id, query);
    response.setHeader(HEADERS.totalCount, total);
    return items.map(toViewerTokenView);
  }

  @Delete(':tokenId')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke a viewer token; streams opened with it end within seconds' })
  @ApiResponse({ status: 204, description: 'Revoked' })
  async revoke(@Caller() caller: Principal, @Param('id') id: string, @Param('tokenId') tokenId: string): Promise<void> {
    await this.tokens.revoke(scopeOf(caller), id, tokenId, caller.actor);
  }
}
