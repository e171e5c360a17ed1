import { Body, Controller, Delete, Get, Param, Patch, Post, Put, Query, Req } from '@nestjs/common';
import { ApiOperation, ApiQuery, type ApiQueryOptions, ApiResponse, ApiTags } from '@nestjs/swagger';
import {
  type AgentPage,
  type AgentView,
  CreateAgent,
  type PopulatedAgentView,
  UpdateAgent,
} from '@reins/shared/api/agents';
import { type Request } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller } from '../access/decorators';
import { demand, type Principal, scopeOf } from '../access/principal';
import { AgentIdPipe } from './agent-id';
import { parseAgentList } from './agent-list.query';
import { AgentPopulation, parsePopulate } from './agent-population';
import { toAgentView } from './agent.view';
import { toAgentPage } from './agent-page.view';
import { AgentsService } from './agents.service';

class CreateAgentDto extends createZodDto(CreateAgent) {}
class UpdateAgentDto extends createZodDto(UpdateAgent) {}

const POPULATE: ApiQueryOptions = {
  name: 'populate',
  required: false,
  schema: { type: 'string', enum: ['instruction'] },
  description: 'Puts the instruction in place of instructionId; null where it is gone',
};
const CREATE_NOTES =
  'instructionId, nodeId and allowedToolIds must name what the organisation has, the instruction an active one. ' +
  'guardrailId is a label handed to the agent: Reins has no guardrails and enforces none. settings.auth_roles is kept ' +
  "for clients that read it and grants nothing; the agent's token carries its role. Without a secret nobody can connect " +
  'as the agent until its credentials are regenerated.';
const UPDATE_NOTES =
  'settings is a JSON Merge Patch (RFC 7396): keys that are absent stay, null takes a key away, objects are merged, lists ' +
  'replaced; a value sent back masked (***) keeps what is stored. null clears instructionId, guardrailId or nodeId. ' +
  'The type cannot change. A new role and the status suspended end the tokens of the agent. Its harness has the new ' +
  'configuration for its next turn.';

@ApiTags('agents')
@Controller('agents')
export class AgentsController {
  constructor(
    private readonly agents: AgentsService,
    private readonly population: AgentPopulation,
  ) {}

  @Post()
  @ApiOperation({ summary: 'Create an agent', description: CREATE_NOTES })
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
  @ApiQuery(POPULATE)
  async list(
    @Caller() caller: Principal,
    @Req() request: Request,
    @Query('populate') populate: unknown,
  ): Promise<AgentPage<AgentView | PopulatedAgentView>> {
    const what = parsePopulate(populate);
    const query = parseAgentList(request.originalUrl);
    const page = toAgentPage(await this.agents.list(scopeOf(caller), query), query);
    if (what === undefined) return page;
    return { ...page, data: await this.populated(caller, page.data) };
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get an agent' })
  @ApiResponse({ status: 200, description: 'The agent; tokens in its settings are masked' })
  @ApiQuery(POPULATE)
  async get(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Query('populate') populate: unknown,
  ): Promise<AgentView | PopulatedAgentView> {
    const what = parsePopulate(populate);
    const agent = toAgentView(await this.agents.get(scopeOf(caller), id));
    if (what === undefined) return agent;
    const [populated] = await this.populated(caller, [agent]);
    return populated ?? agent;
  }

  @Put(':id')
  @ApiOperation({ summary: 'Change an agent; absent fields stay', description: UPDATE_NOTES })
  @ApiResponse({ status: 200, description: 'The agent after the change' })
  async update(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Body() body: UpdateAgentDto,
  ): Promise<AgentView> {
    return toAgentView(await this.agents.update(scopeOf(caller), id, body, demand(caller, 'write')));
  }

  @Patch(':id')
  @ApiOperation({ summary: 'The same as PUT', description: UPDATE_NOTES })
  @ApiResponse({ status: 200, description: 'The agent after the change' })
  patch(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Body() body: UpdateAgentDto,
  ): Promise<AgentView> {
    return this.update(caller, id, body);
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Delete an agent; its secret and tokens end at once' })
  @ApiResponse({ status: 200, description: 'A message' })
  async delete(@Caller() caller: Principal, @Param('id', AgentIdPipe) id: string): Promise<{ message: string }> {
    await this.agents.delete(scopeOf(caller), id, demand(caller, 'delete'));
    return { message: 'Agent deleted successfully' };
  }

  /** An instruction is a definition: whoever may not read those does not read one through an agent. */
  private populated(caller: Principal, agents: readonly AgentView[]): Promise<PopulatedAgentView[]> {
    return this.population.populate(scopeOf(demand(caller, 'read', 'definitions')), agents);
  }
}
