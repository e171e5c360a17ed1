import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { POOL_HOLD_MS, type PoolAssignment, type PoolClaimResponse } from '@reins/shared/api/pool';
import { ReinsError } from '@reins/shared/errors';
import { type Interval, startInterval, systemClock } from '@reins/shared/util';
import { orgScope } from '../../../access/principal';
import { AgentLinkService } from '../../../agents/agent-link.service';
import { Bus } from '../../../bus/bus';
import { Config } from '../../../config/config';
import { Replicas } from '../../../replicas/replicas';
import { podEnvironment } from '../pod/environment';
import { type WarmPodDocument } from './warm-pod.schema';
import { WarmPodsRepository } from './warm-pods.repository';
import { WarmPoolsRepository } from './warm-pools.repository';

type Answer = PoolAssignment | 'none' | 'gone';

/** How often what others did is looked for where they cannot tell. */
const LOOK_EVERY_MS = 250;
/** Long after the claim was taken back. */
const FORGET_AFTER_MS = 60_000;

/** The open questions of warm pods: each is answered by the replica that holds it, with a secret made there. */
@Injectable()
export class PoolClaims implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('WarmPool');
  private readonly held = new Map<string, (answer: Answer) => void>();
  /** Made here: whoever asks again, because an answer was lost, gets the same one. */
  private readonly handed = new Map<string, { assignment: Promise<PoolAssignment | undefined>; atMs: number }>();
  private looking: Interval | undefined;
  private unsubscribe: (() => void) | undefined;
  private isClosing = false;

  constructor(
    private readonly pods: WarmPodsRepository,
    private readonly pools: WarmPoolsRepository,
    private readonly agents: AgentLinkService,
    private readonly bus: Bus,
    private readonly replicas: Replicas,
    private readonly config: Config,
  ) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.bus.subscribe('pool.claimed', ({ warmPodId }) => this.settle([warmPodId]));
    this.looking = startInterval({
      everyMs: LOOK_EVERY_MS,
      run: () => this.look(),
      onError: (error) => this.logger.warn({ err: error }, 'the look at claimed warm pods failed; it goes on'),
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.isClosing = true;
    this.unsubscribe?.();
    await this.looking?.stop();
    for (const answer of this.held.values()) answer('none');
  }

  /** Variables that a harness here is told beside its identity. */
  get environment(): Record<string, string> {
    return podEnvironment(process.env, this.config.env.HARNESS_ENV);
  }

  /** Answers when there is a session for the pod, or nothing came in time. Throws 401 where it is not to wait any more. */
  async ask(warmPodId: string, incarnation: string, signal: AbortSignal): Promise<PoolClaimResponse> {
    // Held first: whoever claims it from now on finds its question.
    const question = this.hold(warmPodId);
    try {
      const asked = await this.pods.asks(warmPodId, incarnation);
      if (asked === undefined) throw revoked();
      const { pod, isFirst } = asked;
      if (isFirst) await this.pools.noteStarted(orgScope(pod.orgId), pod.runtimeId);
      if (pod.state === 'claimed') await this.settleOne(pod);
      const answer = await this.patiently(question.answer, signal);
      if (answer === 'gone') throw revoked();
      return { assignment: answer === 'none' ? null : answer };
    } finally {
      question.release();
    }
  }

  /** Gives the pod what it waits for: at once where its question is held here, else when it asks here again. */
  hand(warmPodId: string, assignment: PoolAssignment): boolean {
    this.remember(warmPodId, Promise.resolve(assignment));
    const answer = this.held.get(warmPodId);
    answer?.(assignment);
    return answer !== undefined;
  }

  private hold(warmPodId: string): { answer: Promise<Answer>; release: () => void } {
    let settle: (answer: Answer) => void = () => undefined;
    const answer = new Promise<Answer>((resolve) => (settle = resolve));
    // One process, one question: an earlier one was given up by it.
    this.held.get(warmPodId)?.('none');
    this.held.set(warmPodId, settle);
    if (this.isClosing) settle('none');
    const release = (): void => {
      if (this.held.get(warmPodId) === settle) this.held.delete(warmPodId);
    };
    return { answer, release };
  }

  private async patiently(answer: Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    const answered = new AbortController();
    const patience = systemClock
      .sleep(POOL_HOLD_MS, AbortSignal.any([signal, answered.signal]))
      .then(undefined, () => undefined)
      .then(() => 'none' as const);
    try {
      return await Promise.race([answer, patience]);
    } finally {
      answered.abort();
    }
  }

  private remember(warmPodId: string, assignment: Promise<PoolAssignment | undefined>): void {
    this.handed.set(warmPodId, { assignment, atMs: systemClock.monotonic() });
  }

  private async look(): Promise<void> {
    const longAgo = systemClock.monotonic() - FORGET_AFTER_MS;
    for (const [id, { atMs }] of this.handed) if (atMs < longAgo) this.handed.delete(id);
    if (this.held.size === 0 || this.replicas.isAlone || this.bus.isHeard) return;
    await this.settle([...this.held.keys()]);
  }

  private async settle(ids: readonly string[]): Promise<void> {
    const own = ids.filter((id) => this.held.has(id));
    if (own.length === 0) return;
    for (const pod of await this.pods.settledAmong(own)) await this.settleOne(pod);
  }

  private async settleOne(pod: WarmPodDocument): Promise<void> {
    if (pod.state !== 'claimed') return this.held.get(pod._id)?.('gone');
    if (!this.handed.has(pod._id)) this.remember(pod._id, this.made(pod));
    const assignment = await this.handed.get(pod._id)?.assignment;
    if (assignment !== undefined) this.held.get(pod._id)?.(assignment);
  }

  /**
   * The secret is renewed only if nobody did since the pod was seen claimed: whoever gave the pod up takes the claim back
   * before renewing it, and that harness's secret must stay the last one.
   */
  private async made({ _id, orgId, claim }: WarmPodDocument): Promise<PoolAssignment | undefined> {
    if (claim === null) return undefined;
    const scope = orgScope(orgId);
    const start = await this.agents.startOf(scope, claim.agentId);
    const [now] = await this.pods.settledAmong([_id]);
    if (start === undefined || now?.state !== 'claimed') return undefined;
    const secret = await this.agents.renewIf(scope, claim.agentId, start.tokenVersion);
    return secret === undefined ? undefined : { agentId: claim.agentId, secret, environment: this.environment };
  }
}

function revoked(): ReinsError {
  return new ReinsError('token_revoked', { message: 'The pod is not to wait for a session any more' });
}
