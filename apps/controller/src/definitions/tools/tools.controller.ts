import { Body, Controller, Delete, Get, Param, Patch, Post, Put, Req } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type AiwmDeleted } from '@reins/shared/api/aiwm';
import {
  CreateTool,
  TOOL_CATEGORIES,
  TOOL_SCOPES,
  TOOL_STATUSES,
  TOOL_TYPES,
  type ToolPage,
  type ToolView,
  UpdateTool,
} from '@reins/shared/api/tools';
import { type Request } from 'express';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Caller } from '../../access/decorators';
import { demand, type Principal, scopeOf } from '../../access/principal';
import { AiwmIdPipe } from '../../common/aiwm-id';
import { type AiwmListRules, parseAiwmList } from '../../common/aiwm-list';
import { ApiAiwmList } from '../../common/aiwm-list.docs';
import { toAiwmPage } from '../../common/aiwm-page';
import { toToolView } from './tool.view';
import { ToolsService } from './tools.service';

class CreateToolDto extends createZodDto(CreateTool) {}
class UpdateToolDto extends createZodDto(UpdateTool) {}

const EQUALS = z.object({
  status: z.enum(TOOL_STATUSES),
  type: z.enum(TOOL_TYPES),
  category: z.enum(TOOL_CATEGORIES),
  scope: z.enum(TOOL_SCOPES),
});
const LIST: AiwmListRules<typeof EQUALS> = {
  equals: EQUALS,
  contains: ['name', 'description'],
  sort: ['createdAt', 'updatedAt', 'name', 'status', 'type', 'category'],
};

@ApiTags('tools')
@Controller('tools')
export class ToolsController {
  constructor(private readonly tools: ToolsService) {}

  @Post()
  @ApiOperation({
    summary: 'Create a tool',
    description:
      'Tools of type mcp need transport, endpoint, dockerImage and port; those of type api can be called through ' +
      'POST /mcp once they have an execution. Scope public, where the universe owner names it in the own organisation, ' +
      'shares the tool with every organisation; anyone else’s tools stay within the organisation.',
  })
  @ApiResponse({ status: 201, description: 'The tool' })
  @ApiResponse({ status: 409, description: 'The organisation has a tool of this name' })
  async create(@Caller() caller: Principal, @Body() body: CreateToolDto): Promise<ToolView> {
    return toToolView(await this.tools.create(scopeOf(caller), body, demand(caller, 'write')));
  }

  @Get()
  @ApiOperation({ summary: 'List tools: the organisation’s own and those shared with all' })
  @ApiAiwmList({
    filter: 'status, type, category, scope equal; name, description contained',
    sort: 'createdAt, updatedAt, name, status, type, category',
  })
  async list(@Caller() caller: Principal, @Req() request: Request): Promise<ToolPage> {
    const query = parseAiwmList(request.originalUrl, LIST);
    return toAiwmPage(await this.tools.list(scopeOf(caller), query), query, toToolView);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a tool' })
  @ApiResponse({ status: 200, description: 'The tool; secrets in its environment and its headers are masked' })
  async get(@Caller() caller: Principal, @Param('id', AiwmIdPipe) id: string): Promise<ToolView> {
    return toToolView(await this.tools.get(scopeOf(caller), id));
  }

  @Patch(':id')
  @ApiOperation({
    summary: 'Change a tool; absent fields stay, masked values keep what is stored, the type cannot change',
  })
  @ApiResponse({ status: 200, description: 'The tool after the change; its agents have it for their next turn' })
  @ApiResponse({ status: 409, description: 'The name is taken, or agents use what would be made inactive' })
  async update(
    @Caller() caller: Principal,
    @Param('id', AiwmIdPipe) id: string,
    @Body() body: UpdateToolDto,
  ): Promise<ToolView> {
    return toToolView(await this.tools.update(scopeOf(caller), id, body, demand(caller, 'write')));
  }

  @Put(':id')
  @ApiOperation({ summary: 'The same as PATCH' })
  @ApiResponse({ status: 200, description: 'The tool after the change' })
  replace(
    @Caller() caller: Principal,
    @Param('id', AiwmIdPipe) id: string,
    @Body() body: UpdateToolDto,
  ): Promise<ToolView> {
    return this.update(caller, id, body);
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Delete a tool that no agent may use' })
  @ApiResponse({ status: 200, description: 'Its id, and when it was deleted' })
  @ApiResponse({ status: 409, description: 'Agents may use it' })
  delete(@Caller() caller: Principal, @Param('id', AiwmIdPipe) id: string): Promise<AiwmDeleted> {
    return this.tools.delete(scopeOf(caller), id, demand(caller, 'delete'));
  }
}
