import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import {
  type CreatedNodeToken,
  CreateNode,
  CreateNodeToken,
  NODE_BEAT_SECONDS,
  NODE_ROLES,
  NODE_STATUSES,
  NodeHeartbeat,
  type NodePage,
  type NodeTokenView,
  type NodeView,
  UpdateNode,
} from '@reins/shared/api/nodes';
import { type Request, type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Caller, NodeRoute } from '../../access/decorators';
import { demand, demandNode, type Principal, scopeOf } from '../../access/principal';
import { AiwmIdPipe } from '../../common/aiwm-id';
import { type AiwmListRules, filterFlag, filterText, parseAiwmList } from '../../common/aiwm-list';
import { ApiAiwmList } from '../../common/aiwm-list.docs';
import { toAiwmPage } from '../../common/aiwm-page';
import { bareList, PageQueryDto } from '../bare-list';
import { toNodeTokenView } from './node-token.view';
import { NodeTokensService } from './node-tokens.service';
import { toNodeView } from './node.view';
import { NodesService } from './nodes.service';

class CreateNodeDto extends createZodDto(CreateNode) {}
class UpdateNodeDto extends createZodDto(UpdateNode) {}
class NodeHeartbeatDto extends createZodDto(NodeHeartbeat) {}
class CreateNodeTokenDto extends createZodDto(CreateNodeToken) {}

const EQUALS = z.object({
  status: z.enum(NODE_STATUSES),
  role: z.enum(NODE_ROLES),
  isLocal: filterFlag,
  vpnIp: filterText,
});
const LIST: AiwmListRules<typeof EQUALS> = {
  equals: EQUALS,
  contains: ['name'],
  sort: ['createdAt', 'updatedAt', 'name', 'status', 'lastHeartbeat'],
};

@ApiTags('nodes')
@Controller('nodes')
export class NodesController {
  constructor(
    private readonly nodes: NodesService,
    private readonly tokens: NodeTokensService,
  ) {}

  @Post()
  @ApiOperation({ summary: 'Create a node' })
  @ApiResponse({ status: 201, description: 'The node, pending until it is heard of' })
  async create(@Caller() caller: Principal, @Body() body: CreateNodeDto): Promise<NodeView> {
    return toNodeView(await this.nodes.create(scopeOf(caller), body, demand(caller, 'write')));
  }

  @Get()
  @ApiOperation({ summary: 'List nodes' })
  @ApiAiwmList({
    filter: 'status, role, isLocal, vpnIp equal; name contained',
    sort: 'createdAt, updatedAt, name, status, lastHeartbeat',
  })
  async list(@Caller() caller: Principal, @Req() request: Request): Promise<NodePage> {
    const query = parseAiwmList(request.originalUrl, LIST);
    return toAiwmPage(await this.nodes.list(scopeOf(caller), query), query, (node) => toNodeView(node));
  }

  @Get(':id')
  @NodeRoute()
  @ApiOperation({ summary: 'Get a node; it may get itself with its own token' })
  @ApiResponse({ status: 200, description: 'The node; offline where it missed three beats' })
  async get(@Caller() caller: Principal, @Param('id', AiwmIdPipe) id: string): Promise<NodeView> {
    if (caller.kind === 'node') demandNode(caller, id);
    return toNodeView(await this.nodes.get(scopeOf(caller), id));
  }

  @Put(':id')
  @ApiOperation({ summary: 'Change a node; absent fields stay as they are' })
  @ApiResponse({ status: 200, description: 'The node after the change' })
  async update(
    @Caller() caller: Principal,
    @Param('id', AiwmIdPipe) id: string,
    @Body() body: UpdateNodeDto,
  ): Promise<NodeView> {
    return toNodeView(await this.nodes.update(scopeOf(caller), id, body, demand(caller, 'write')));
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Delete a node that no agent names; its tokens end at once' })
  @ApiResponse({ status: 200, description: 'A message' })
  @ApiResponse({ status: 409, description: 'Agents name it' })
  async delete(@Caller() caller: Principal, @Param('id', AiwmIdPipe) id: string): Promise<{ message: string }> {
    await this.nodes.delete(scopeOf(caller), id, demand(caller, 'delete'));
    return { message: 'Node deleted successfully' };
  }

  @Post(':id/heartbeat')
  @NodeRoute()
  @HttpCode(200)
  @ApiOperation({ summary: 'Report that the node is alive, with what its machine has; with its own token only' })
  @ApiResponse({ status: 200, description: 'success, the status it has now, and the seconds to the next beat' })
  async heartbeat(
    @Caller() caller: Principal,
    @Param('id', AiwmIdPipe) id: string,
    @Body() body: NodeHeartbeatDto,
  ): Promise<{ success: true; status: string; nextHeartbeat: number }> {
    const node = demandNode(caller, id);
    const { status } = await this.nodes.heartbeat(scopeOf(caller), node, body);
    return { success: true, status, nextHeartbeat: NODE_BEAT_SECONDS };
  }

  @Post(':id/token')
  @HttpCode(200)
  @ApiOperation({ summary: 'Make a token for a node, a day by default, a year at most' })
  @ApiResponse({ status: 200, description: 'The token, shown this once, with a script that installs its heartbeat' })
  createToken(
    @Caller() caller: Principal,
    @Param('id', AiwmIdPipe) id: string,
    @Body() body: CreateNodeTokenDto,
  ): Promise<CreatedNodeToken> {
    return this.tokens.create(scopeOf(caller), id, body, demand(caller, 'write'));
  }

  @Get(':id/tokens')
  @ApiOperation({ summary: 'List the tokens of a node, newest first' })
  @ApiResponse({ status: 200, description: 'A bare array without the tokens themselves; X-Total-Count' })
  async listTokens(
    @Caller() caller: Principal,
    @Param('id', AiwmIdPipe) id: string,
    @Query() query: PageQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<NodeTokenView[]> {
    return bareList(response, await this.tokens.list(scopeOf(caller), id, query), toNodeTokenView);
  }

  @Delete(':id/tokens/:tokenId')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke a token of a node' })
  @ApiResponse({ status: 204, description: 'Revoked: requests with it are refused from now on' })
  async revokeToken(
    @Caller() caller: Principal,
    @Param('id', AiwmIdPipe) id: string,
    @Param('tokenId', AiwmIdPipe) tokenId: string,
  ): Promise<void> {
    await this.tokens.revoke(scopeOf(caller), id, tokenId, demand(caller, 'delete'));
  }
}
