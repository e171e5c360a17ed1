import { Injectable, Logger } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { systemClock } from '@reins/shared/util';
import { orgScope } from '../access/principal';
import { AuditService } from '../audit/audit.service';
import { Background } from '../bus/background';
import { Config } from '../config/config';
import { Metrics } from '../metrics/metrics';
import { agentNotFound } from './agent-configuration.service';
import { type AgentDocument } from './agent.schema';
import { AgentsRepository } from './agents.repository';
import { ConnectThrottle } from './connect-throttle';
import { AgentEvents } from './presence/agent-events';
import { SecretVerifier } from './secret-verifier';

const THROTTLE_KEYS = 50_000;

/** Why a connect was refused; the label of the metric. */
type Failure = 'unknown_agent' | 'wrong_secret' | 'suspended' | 'superseded' | 'throttled';

/** An agent whose secret was right, and what to store so that it need not be compared again. */
export interface Admitted {
  agent: AgentDocument;
  learned: Partial<Pick<AgentDocument, 'secretProof' | 'previousSecretProof'>>;
}

/** Decides who may connect, and makes guessing slow: failures are counted by agent and by address. */
@Injectable()
export class ConnectGate {
  private readonly logger = new Logger('AgentConnect');
  private readonly throttle: ConnectThrottle;
  private readonly windowSeconds: number;

  constructor(
    { env }: Config,
    private readonly agents: AgentsRepository,
    private readonly verifier: SecretVerifier,
    private readonly events: AgentEvents,
    private readonly audit: AuditService,
    private readonly background: Background,
    private readonly metrics: Metrics,
  ) {
    this.windowSeconds = env.CONNECT_FAILURE_WINDOW_SECONDS;
    this.throttle = new ConnectThrottle({
      perAgent: env.CONNECT_FAILURES_PER_AGENT,
      perAddress: env.CONNECT_FAILURES_PER_ADDRESS,
      windowMs: this.windowSeconds * 1000,
      maxKeys: THROTTLE_KEYS,
      monotonic: () => systemClock.monotonic(),
    });
  }

  /**
   * The agent, if the secret is right and it may connect. Throws 404 for an unknown or deleted agent, 401 for a wrong
   * secret or a suspended agent, 429 after too many failures. The first three cost the same, whichever it is.
   */
  async admit(id: string, secret: string, address: string): Promise<Admitted> {
    const refuseIfBlocked = () => this.refuseIfBlocked(id, address);
    refuseIfBlocked();
    const agent = await this.agents.getForConnect(id);
    const verdict = await this.verifier.verify(agent, secret, refuseIfBlocked);
    if (agent === undefined || !verdict.right) {
      this.noteFailure(id, agent, address);
      throw agent === undefined ? agentNotFound(id) : new ReinsError('invalid_credentials');
    }
    if (agent.status === 'suspended') {
      this.count('suspended');
      throw new ReinsError('agent_suspended');
    }
    return { agent, learned: verdict.learned };
  }

  count(reason: Failure): void {
    const name = 'reins_connect_failures_total';
    this.metrics.counter(name, 'Connects of agents that were refused, by reason', ['reason']).inc({ reason });
  }

  private refuseIfBlocked(id: string, address: string): void {
    const retryAfterMs = this.throttle.blockedFor(id, address);
    if (retryAfterMs === undefined) return;
    this.count('throttled');
    throw new ReinsError('too_many_requests', { retryAfterMs });
  }

  private noteFailure(id: string, agent: AgentDocument | undefined, address: string): void {
    const lockOuts = this.throttle.fail(id, address);
    this.count(agent === undefined ? 'unknown_agent' : 'wrong_secret');
    this.logger.warn({ agentId: id, address, known: agent !== undefined }, 'agent.connect refused');
    if (lockOuts.address) this.logger.warn({ address }, 'an address is locked out: too many failed connects');
    if (lockOuts.agent && agent !== undefined) this.noteLockOut(agent, address);
  }

  /** Whoever administers the agent should know: somebody is guessing, or a harness has an old secret. */
  private noteLockOut({ _id: agentId, orgId }: AgentDocument, address: string): void {
    const scope = orgScope(orgId);
    const details = { address, retryAfterSeconds: this.windowSeconds };
    this.events.record(scope, { agentId, type: 'locked_out', details });
    this.background.start('the audit of a lock-out', () =>
      this.audit.record(scope, {
        actor: 'controller',
        action: 'agent.locked_out',
        target: { type: 'agent', id: agentId },
        after: details,
      }),
    );
  }
}
