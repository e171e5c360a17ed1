import { Injectable, Logger } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { type ConnectRequest, type ConnectResponse } from '@reins/shared/link/connect';
import { systemClock } from '@reins/shared/util';
import { orgScope } from '../access/principal';
import { TokenService } from '../access/token.service';
import { Bus } from '../bus/bus';
import { Config } from '../config/config';
import { agentNotFound, AgentConfigurationService } from './agent-configuration.service';
import { type AgentDocument, type HarnessFacts } from './agent.schema';
import { AgentsRepository, type AgentUpdate } from './agents.repository';
import { ConnectThrottle } from './connect-throttle';
import { judgeIncarnation } from './incarnations';
import { SecretVerifier } from './secret-verifier';

const THROTTLE_KEYS = 50_000;
/** How often a connect starts over because the agent changed under it. */
const ATTEMPTS = 5;

/** `POST /agents/:id/connect`: an id and a secret for a token and everything the agent has to know. */
@Injectable()
export class AgentConnectService {
  private readonly logger = new Logger('AgentConnect');
  private readonly throttle: ConnectThrottle;

  constructor(
    { env }: Config,
    private readonly agents: AgentsRepository,
    private readonly configurations: AgentConfigurationService,
    private readonly verifier: SecretVerifier,
    private readonly tokens: TokenService,
    private readonly bus: Bus,
  ) {
    this.throttle = new ConnectThrottle({
      perAgent: env.CONNECT_FAILURES_PER_AGENT,
      perAddress: env.CONNECT_FAILURES_PER_ADDRESS,
      windowMs: env.CONNECT_FAILURE_WINDOW_SECONDS * 1000,
      maxKeys: THROTTLE_KEYS,
      monotonic: () => systemClock.monotonic(),
    });
  }

  /**
   * Throws 404 for an unknown or deleted agent, 401 for a wrong secret or a suspended agent, 409 for an incarnation that
   * was superseded, 429 after too many failures. The first three cost the same, whichever it is.
   */
  async connect(id: string, request: ConnectRequest, address: string): Promise<ConnectResponse> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const agent = await this.admit(id, request.secret, address);
      const configuration = await this.configurations.configurationOf(agent);
      const accepted = await this.accept(agent, request, configuration.configVersion);
      // Undefined: regenerated, suspended or taken over meanwhile, so the question is a new one.
      if (accepted !== undefined) return { ...(await this.tokenOf(accepted)), ...configuration };
    }
    throw new ReinsError('conflict', { retryAfterMs: 1000 });
  }

  /** The agent, if the secret is right and it may connect. */
  private async admit(id: string, secret: string, address: string): Promise<AgentDocument> {
    const refuseIfBlocked = () => this.refuseIfBlocked(id, address);
    refuseIfBlocked();
    const agent = await this.agents.getForConnect(id);
    const right = await this.verifier.verify(agent, secret, refuseIfBlocked);
    if (agent === undefined || !right) {
      this.throttle.fail(id, address);
      this.logger.warn({ agentId: id, address, known: agent !== undefined }, 'agent.connect refused');
      throw agent === undefined ? agentNotFound(id) : new ReinsError('invalid_credentials');
    }
    if (agent.status === 'suspended') throw new ReinsError('agent_suspended');
    return agent;
  }

  private refuseIfBlocked(id: string, address: string): void {
    const retryAfterMs = this.throttle.blockedFor(id, address);
    if (retryAfterMs !== undefined) throw new ReinsError('too_many_requests', { retryAfterMs });
  }

  /** Records the connect, if the agent is still as it was read. */
  private async accept(
    agent: AgentDocument,
    request: ConnectRequest,
    configVersion: string,
  ): Promise<AgentDocument | undefined> {
    const now = new Date();
    const verdict = judgeIncarnation(agent, request.incarnation, now);
    if (verdict.kind === 'superseded') throw new ReinsError('agent_superseded');
    const scope = orgScope(agent.orgId);
    const update: AgentUpdate = {
      $set: {
        connectedAt: now,
        lastConnectedAt: now,
        configVersion,
        harness: factsOf(request),
        incarnationOpen: verdict.kind === 'anonymous',
        ...(verdict.kind === 'new' && {
          incarnation: request.incarnation,
          supersededIncarnations: verdict.superseded,
        }),
      },
      ...(verdict.kind !== 'same' && { $inc: { connectionCount: 1 } }),
    };
    const accepted = await this.agents.update(scope, agent._id, update, {
      tokenVersion: agent.tokenVersion,
      secretHash: agent.secretHash ?? null,
      incarnation: agent.incarnation ?? null,
    });
    if (accepted === undefined || verdict.kind !== 'new' || request.incarnation === undefined) return accepted;

    const connected = { orgId: agent.orgId, agentId: agent._id, incarnation: request.incarnation };
    if (verdict.conflict) this.logger.warn(connected, 'agent.conflict: several harnesses seem to run as this agent');
    this.bus.publish('agent.connected', connected);
    return accepted;
  }

  private async tokenOf({ _id, orgId, status, role, tokenVersion }: AgentDocument) {
    const token = await this.tokens.signAgent({ agentId: _id, orgId, status, role, tokenVersion });
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
