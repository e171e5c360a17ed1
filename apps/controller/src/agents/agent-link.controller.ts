import { Body, Controller, Get, HttpCode, Logger, Param, Post, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import {
  DisconnectRequest,
  HeartbeatRequest,
  RegenerateRequest,
  type RegenerateResponse,
} from '@reins/shared/api/agents';
import { type HeartbeatResponse } from '@reins/shared/api/agent-presence';
import { ConnectRequest, ConnectResponse } from '@reins/shared/link/connect';
import { type Request, type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { AgentRoute, Caller, Public } from '../access/decorators';
import { demand, type Principal, scopeOf } from '../access/principal';
import { AgentConfigurationService } from './agent-configuration.service';
import { AgentConnectService } from './agent-connect.service';
import { AgentCredentialsService } from './agent-credentials.service';
import { AgentIdPipe, demandAgent } from './agent-id';
import { configEtag, withoutTokens } from './agent-config.view';
import { AgentsService } from './agents.service';
import { PresenceService } from './presence/presence.service';

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
    private readonly presence: PresenceService,
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
  @ApiHeader({ name: 'If-None-Match', required: false, description: 'The ETag of an earlier answer' })
  @ApiResponse({ status: 304, description: 'The configuration is the one named by If-None-Match' })
  async config(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ConnectResponse> {
    if (caller.kind === 'agent') demandAgent(caller, id);
    const scope = scopeOf(caller);
    const agent = await this.agents.get(scope, id);
    const configuration = await this.configurations.configurationOf(agent);
    // Whoever asks finds an edit that was not announced, so it is announced now.
    if (configuration.configVersion !== agent.configVersion) await this.agents.refreshConfiguration(scope, id);
    response.setHeader('Cache-Control', 'private, no-cache');
    response.setHeader('Vary', 'Authorization');
    // express compares it with If-None-Match and answers 304 by itself.
    response.setHeader('ETag', configEtag(configuration, caller));
    return withoutTokens(configuration, caller, bearerToken(request));
  }

  @Post('heartbeat')
  @AgentRoute()
  @HttpCode(200)
  @ApiOperation({ summary: 'Report that the agent is alive, with its status' })
  @ApiResponse({ status: 200, description: 'success, when the next beat is due, and the version of the configuration' })
  async heartbeat(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Body() body: HeartbeatDto,
  ): Promise<HeartbeatResponse> {
    demandAgent(caller, id);
    const { configVersion } = await this.presence.heartbeat(scopeOf(caller), id, body, { via: 'http' });
    return { success: true, acknowledged: true, nextHeartbeat: this.presence.nextHeartbeat, configVersion };
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
    await this.presence.disconnected(scopeOf(caller), id);
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

function bearerToken({ headers }: Request): string | undefined {
  return headers.authorization?.replace(/^Bearer +/i, '');
}
