import { All, Body, Controller, HttpStatus, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiExcludeEndpoint, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { ReinsError } from '@reins/shared/errors';
import { type Request, type Response } from 'express';
import { AgentRoute, Caller } from '../access/decorators';
import { type AgentPrincipal, type Principal } from '../access/principal';
import { ClientGone } from '../common/client-gone';
import { type RpcAnswer } from './json-rpc';
import { McpService } from './mcp.service';

@ApiTags('MCP')
@Controller('mcp')
export class McpController {
  constructor(private readonly mcp: McpService) {}

  @Post()
  @AgentRoute()
  @ApiOperation({ summary: 'Model Context Protocol for an agent: the api tools it may use, by JSON-RPC 2.0' })
  @ApiBody({
    schema: {
      type: 'object',
      required: ['jsonrpc', 'method'],
      properties: {
        jsonrpc: { type: 'string', enum: ['2.0'] },
        id: { oneOf: [{ type: 'string' }, { type: 'integer' }] },
        method: { type: 'string', description: 'initialize, ping, tools/list, tools/call, or a notification' },
        params: { type: 'object' },
      },
    },
  })
  @ApiResponse({ status: 200, description: 'The result, or the error with its code of JSON-RPC' })
  @ApiResponse({ status: 202, description: 'A notification was taken; no body' })
  async post(
    @Caller() caller: Principal,
    @Body() body: unknown,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<RpcAnswer | undefined> {
    const agent = demandAnyAgent(caller);
    const token = request.headers.authorization?.replace(/^Bearer +/i, '') ?? '';
    const answer = await this.mcp.handle(body, { agent, token, signal: new ClientGone(request).signal });
    response.status(answer === undefined ? HttpStatus.ACCEPTED : HttpStatus.OK);
    return answer;
  }

  /** There is no stream to open and no session to end: a client that tries is told so by the status MCP names. */
  @All()
  @AgentRoute()
  @ApiExcludeEndpoint()
  refuse(@Res({ passthrough: true }) response: Response): never {
    response.setHeader('Allow', 'POST');
    throw new ReinsError('method_not_allowed');
  }
}

function demandAnyAgent(caller: Principal): AgentPrincipal {
  if (caller.kind === 'agent') return caller;
  throw new ReinsError('forbidden', { message: "This needs an agent's token." });
}
