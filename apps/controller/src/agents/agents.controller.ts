import { Body, Controller, Delete, Get, Param, Post, Put, Req } from '@nestjs/common';
import { ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type AgentPage, type AgentView, CreateAgent, UpdateAgent } from '@reins/shared/api/agents';
import { type Request } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller } from '../access/decorators';
import { demand, type Principal, scopeOf } from '../access/principal';
import { AgentIdPipe } from './agent-id';
import { parseAgentList } from './agent-list.query';
import { toAgentView } from './agent.view';
import { toAgentPage } from './agent-page.view';
import { AgentsService } from './agents.service';

class CreateAgentDto extends createZodDto(CreateAgent) {}
class UpdateAgentDto extends createZodDto(UpdateAgent) {}

@ApiTags('agents')
@Controller('agents')
export class AgentsController {
  constructor(private readonly agents: AgentsService) {}

  @Post()
  @ApiOperation({ summary: 'Create an agent' })
  @ApiResponse({ status: 201, description: 'The agent; never its secret' })
  async create(@Caller() caller: Principal, @Body() body: CreateAgentDto): Promise<AgentView> {
    return toAgentView(await this.agents.create(scopeOf(caller), body, demand(caller, 'write')));
  }

  @Get()
  @ApiOperation({ summary: 'List agents' })
  @ApiQuery({ name: 'page', required: false, schema: { type: 'integer', minimum: 1, default: 1 } })
  @ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: 100, default: 10 } })
  @ApiQuery({
    name: 'filter',
    required: false,
    style: 'deepObject',
    explode: true,
    schema: { type: 'object', additionalProperties: { type: 'string' } },
    description: 'status, type, role, instructionId, guardrailId, nodeId, tags equal; name, description contained',
  })
  @ApiQuery({
    name: 'sort',
    required: false,
    style: 'deepObject',
    explode: true,
    schema: { type: 'object', additionalProperties: { type: 'string', enum: ['1', '-1', 'asc', 'desc'] } },
    description: 'createdAt, updatedAt, name, status, type, lastConnectedAt, lastHeartbeatAt',
  })
  @ApiResponse({ status: 200, description: 'One page with pagination and statistics' })
  async list(@Caller() caller: Principal, @Req() request: Request): Promise<AgentPage> {
    const query = parseAgentList(request.originalUrl);
    return toAgentPage(await this.agents.list(scopeOf(caller), query), query);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get an agent' })
  @ApiResponse({ status: 200, description: 'The agent; tokens in its settings are masked' })
  async get(@Caller() caller: Principal, @Param('id', AgentIdPipe) id: string): Promise<AgentView> {
    return toAgentView(await this.agents.get(scopeOf(caller), id));
  }

  @Put(':id')
  @ApiOperation({ summary: 'Change an agent; absent fields stay, masked settings keep their value' })
  @ApiResponse({ status: 200, description: 'The agent after the change' })
  async update(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Body() body: UpdateAgentDto,
  ): Promise<AgentView> {
    return toAgentView(await this.agents.update(scopeOf(caller), id, body, demand(caller, 'write')));
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Delete an agent; its secret and tokens end at once' })
  @ApiResponse({ status: 200, description: 'A message' })
  async delete(@Caller() caller: Principal, @Param('id', AgentIdPipe) id: string): Promise<{ message: string }> {
    await this.agents.delete(scopeOf(caller), id, demand(caller, 'delete'));
    return { message: 'Agent deleted successfully' };
  }
}
