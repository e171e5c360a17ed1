import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type AgentView } from '@reins/shared/api/agents';
import {
  CreateEnrollmentToken,
  type CreatedEnrollmentToken,
  type EnrollmentTokenDetail,
  type EnrollmentTokenView,
  RevokeEnrollmentToken,
} from '@reins/shared/api/enrollment';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller, Needs } from '../access/decorators';
import { demand, type Principal, scopeOf } from '../access/principal';
import { toAgentView } from '../agents/agent.view';
import { bareList, PageQueryDto } from '../definitions/bare-list';
import { toEnrollmentTokenView } from './enrollment-token.view';
import { EnrollmentTokensService } from './enrollment-tokens.service';

class CreateEnrollmentTokenDto extends createZodDto(CreateEnrollmentToken) {}
class RevokeEnrollmentTokenDto extends createZodDto(RevokeEnrollmentToken) {}

@ApiTags('enrollment')
@Controller('admin/enrollment-tokens')
@Needs('admin')
export class EnrollmentTokensController {
  constructor(private readonly tokens: EnrollmentTokensService) {}

  @Post()
  @ApiOperation({ summary: 'Create a token with which harnesses register themselves' })
  @ApiResponse({ status: 201, description: 'The token, shown this once' })
  async create(@Caller() caller: Principal, @Body() body: CreateEnrollmentTokenDto): Promise<CreatedEnrollmentToken> {
    const { token, stored } = await this.tokens.create(scopeOf(caller), body, demand(caller, 'admin'));
    return { ...toEnrollmentTokenView(stored), token };
  }

  @Get()
  @ApiOperation({ summary: 'List enrollment tokens, newest first' })
  @ApiResponse({
    status: 200,
    description: 'A bare array without the tokens themselves; X-Total-Count has the number of all',
  })
  async list(
    @Caller() caller: Principal,
    @Query() query: PageQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<EnrollmentTokenView[]> {
    return bareList(response, await this.tokens.list(scopeOf(caller), query), toEnrollmentTokenView);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get an enrollment token and how many agents it has' })
  @ApiResponse({ status: 200, description: 'The token without its value; settings masked' })
  async get(@Caller() caller: Principal, @Param('id') id: string): Promise<EnrollmentTokenDetail> {
    const token = await this.tokens.get(scopeOf(caller), id);
    return { ...toEnrollmentTokenView(token), agents: await this.tokens.count(scopeOf(caller), id) };
  }

  @Get(':id/agents')
  @ApiOperation({ summary: 'List the agents that registered with a token, newest first' })
  @ApiResponse({ status: 200, description: 'A bare array; X-Total-Count has the number of all' })
  async agents(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Query() query: PageQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<AgentView[]> {
    const page = await this.tokens.agentsOf(scopeOf(caller), id, query);
    return bareList(response, page, (agent) => toAgentView(agent));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke an enrollment token, and with ?agents=suspend or delete the agents it made' })
  @ApiResponse({ status: 204, description: 'Revoked: nobody registers with it from now on' })
  async revoke(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Query() query: RevokeEnrollmentTokenDto,
  ): Promise<void> {
    await this.tokens.revoke(scopeOf(caller), id, query, demand(caller, 'admin'));
  }
}
