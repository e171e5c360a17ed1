import { Body, Controller, Get, HttpCode, Logger, Param, Post, Req } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import {
  DisconnectRequest,
  HeartbeatRequest,
  RegenerateRequest,
  type RegenerateResponse,
} from '@reins/shared/api/agents';
import { ConnectRequest, ConnectResponse } from '@reins/shared/link/connect';
import { type Request } from 'express';
import { createZodDto } from 'nestjs-zod';
import { AgentRoute, Caller, Public } from '../access/decorators';
import { demand, type Principal, scopeOf } from '../access/principal';
import { AgentConfigurationService } from './agent-configuration.service';
import { AgentConnectService } from './agent-connect.service';
import { AgentCredentialsService } from './agent-credentials.service';
import { AgentIdPipe, demandAgent } from './agent-id';
import { withoutTokens } from './agent-config.view';
import { AgentsService } from './agents.service';

class ConnectDto extends createZodDto(ConnectRequest) {}
class ConnectResponseDto extends createZodDto(ConnectResponse) {}
class HeartbeatDto extends createZodDto(HeartbeatRequest) {}
class DisconnectDto extends createZodDto(DisconnectRequest) {}
class RegenerateDto extends createZodDto(RegenerateRequest) {}

/** What agents call, and what hands out their credentials. */
@ApiTags('agents')
@Controller('agents/:id')
export class AgentLinkController {
  private readonly logger = new Logger('AgentLink');

  constructor(
    private readonly agents: AgentsService,
    private readonly connects: AgentConnectService,
    private readonly credentials: AgentCredentialsService,
    private readonly configurations: AgentConfigurationService,
  ) {}

  @Post('connect')
  @Public()
  @HttpCode(200)
  @ApiOperation({ summary: 'Connect as an agent: the secret for a token and the configuration' })
  @ApiResponse({
    status: 200,
    description: 'The token (24 h by default) and the configuration',
    type: ConnectResponseDto,
  })
  @ApiResponse({ status: 429, description: 'Too many failures of this agent or address; Retry-After says how long' })
  connect(
    @Param('id', AgentIdPipe) id: string,
    @Body() body: ConnectDto,
    @Req() request: Request,
  ): Promise<ConnectResponse> {
    return this.connects.connect(id, body, request.ip ?? 'unknown');
  }

  @Get('config')
  @AgentRoute()
  @ApiOperation({ summary: 'Get the configuration as connect gives it, without a token' })
  @ApiResponse({
    status: 200,
    description: 'In clear for the agent itself, masked for everyone else',
    type: ConnectResponseDto,
  })
  async config(@Caller() caller: Principal, @Param('id', AgentIdPipe) id: string): Promise<ConnectResponse> {
    if (caller.kind === 'agent') demandAgent(caller, id);
    const agent = await this.agents.get(scopeOf(caller), id);
    return withoutTokens(await this.configurations.configurationOf(agent), caller);
  }

  @Post('heartbeat')
  @AgentRoute()
  @HttpCode(200)
  @ApiOperation({ summary: 'Report that the agent is alive, with its status' })
  @ApiResponse({ status: 200, description: 'success' })
  async heartbeat(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Body() body: HeartbeatDto,
  ): Promise<{ success: true }> {
    demandAgent(caller, id);
    await this.agents.heartbeat(scopeOf(caller), id, body);
    return { success: true };
  }

  @Post('disconnect')
  @AgentRoute()
  @HttpCode(200)
  @ApiOperation({ summary: 'Say goodbye' })
  @ApiResponse({ status: 200, description: 'success' })
  async disconnect(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Body() body: DisconnectDto,
  ): Promise<{ success: true }> {
    demandAgent(caller, id);
    await this.agents.markDisconnected(scopeOf(caller), id);
    this.logger.log({ agentId: id, reason: body.reason }, 'agent.disconnected');
    return { success: true };
  }

  @Post('credentials/regenerate')
  @HttpCode(200)
  @ApiOperation({ summary: 'Replace the secret of an autonomous agent' })
  @ApiResponse({ status: 200, description: 'The new secret, shown this once, with a .env and an install script' })
  regenerate(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Body() body: RegenerateDto,
  ): Promise<RegenerateResponse> {
    return this.credentials.regenerate(scopeOf(caller), id, body, demand(caller, 'write'));
  }
}
