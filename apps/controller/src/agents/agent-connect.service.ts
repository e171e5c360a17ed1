import { Injectable, Logger } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { type ConnectRequest, type ConnectResponse } from '@reins/shared/link/connect';
import { orgScope } from '../access/principal';
import { TokenService } from '../access/token.service';
import { Bus } from '../bus/bus';
import { connectAnswer, type TokenFields } from './agent-config.view';
import { AgentConfigurationService } from './agent-configuration.service';
import { type AgentDocument, type HarnessFacts } from './agent.schema';
import { AgentsRepository, type ConnectUpdate } from './agents.repository';
import { type Admitted, ConnectGate } from './connect-gate';
import { judgeIncarnation } from './incarnations';
import { PresenceService } from './presence/presence.service';

/** How often a connect starts over because the agent changed under it. */
const ATTEMPTS = 5;

/** `POST /agents/:id/connect`: an id and a secret for a token and everything the agent has to know. */
@Injectable()
export class AgentConnectService {
  private readonly logger = new Logger('AgentConnect');

  constructor(
    private readonly gate: ConnectGate,
    private readonly agents: AgentsRepository,
    private readonly configurations: AgentConfigurationService,
    private readonly presence: PresenceService,
    private readonly tokens: TokenService,
    private readonly bus: Bus,
  ) {}

  /**
   * Throws 404 for an unknown or deleted agent, 401 for a wrong secret or a suspended agent, 409 for an incarnation that
   * was superseded, 429 after too many failures. The first three cost the same, whichever it is.
   */
  async connect(id: string, request: ConnectRequest, address: string): Promise<ConnectResponse> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const admitted = await this.gate.admit(id, request.secret, address);
      const configuration = await this.configurations.configurationOf(admitted.agent);
      // Not accepted: regenerated, suspended or taken over meanwhile, so the question is a new one.
      if (await this.accept(admitted, request, configuration.configVersion)) {
        return connectAnswer(this.tokenOf(admitted.agent), configuration);
      }
    }
    throw new ReinsError('conflict', { retryAfterMs: 1000 });
  }

  /** Records the connect. False where the agent is not as it was read any more. */
  private async accept({ agent, learned }: Admitted, request: ConnectRequest, configVersion: string): Promise<boolean> {
    const now = new Date();
    const verdict = judgeIncarnation(agent, request.incarnation, now);
    if (verdict.kind === 'superseded') {
      this.gate.count('superseded');
      throw new ReinsError('agent_superseded');
    }
    const scope = orgScope(agent.orgId);
    // The process known already, or one that names none while it is online, only fetches itself a new token.
    const isRefresh = verdict.kind === 'same' || (verdict.kind === 'anonymous' && agent.online);
    const update: ConnectUpdate = {
      $set: {
        ...this.presence.signOfLife(now),
        ...learned,
        connectedAt: now,
        lastConnectedAt: now,
        configVersion,
        harness: factsOf(request),
        incarnationOpen: verdict.kind === 'anonymous',
        ...(verdict.kind === 'new' && {
          ...(request.incarnation !== undefined && { incarnation: request.incarnation }),
          supersededIncarnations: verdict.superseded,
          ...(verdict.conflict && { conflictAt: now }),
        }),
      },
      $unset: { socketClosedAt: '' },
      ...(!isRefresh && { $inc: { connectionCount: 1 } }),
    };
    const accepted = await this.agents.recordConnect(scope, agent._id, update, {
      tokenVersion: agent.tokenVersion,
      secretHash: agent.secretHash ?? null,
      incarnation: agent.incarnation ?? null,
      online: agent.online,
      // Renewed meanwhile: what was computed here may be from before the edit.
      configVersion: agent.configVersion,
    });
    if (!accepted) return false;
    if (!agent.online) this.presence.cameOnline(agent, 'connected');
    if (verdict.kind !== 'new' || request.incarnation === undefined) return true;

    const connected = { orgId: agent.orgId, agentId: agent._id, incarnation: request.incarnation };
    if (verdict.conflict) this.logger.warn(connected, 'agent.conflict: several harnesses seem to run as this agent');
    this.presence.superseded(agent, request.incarnation, verdict.conflict);
    this.bus.publish('agent.connected', connected);
    return true;
  }

  private tokenOf({ _id, orgId, status, role, tokenVersion }: AgentDocument): TokenFields {
    const token = this.tokens.signAgent({ agentId: _id, orgId, status, role, tokenVersion });
    return {
      token,
      accessToken: token,
      expiresIn: this.tokens.ttlSeconds,
      tokenType: 'bearer' as const,
      refreshToken: null,
      refreshExpiresIn: 0 as const,
    };
  }
}

function factsOf({ host, harness, supportedTypes, capacity }: ConnectRequest): HarnessFacts {
  return {
    ...(host !== undefined && { host }),
    ...(harness !== undefined && { version: harness.version }),
    ...(supportedTypes !== undefined && { supportedTypes }),
    ...(capacity !== undefined && { capacity }),
  };
}
