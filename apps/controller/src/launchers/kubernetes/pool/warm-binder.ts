import { Injectable, Logger } from '@nestjs/common';
import { POOL_HOLD_MS } from '@reins/shared/api/pool';
import { systemClock } from '@reins/shared/util';
import { type OrgScope, orgScope } from '../../../access/principal';
import { AgentLinkService } from '../../../agents/agent-link.service';
import { Bus } from '../../../bus/bus';
import { Config } from '../../../config/config';
import { Metrics } from '../../../metrics/metrics';
import { Replicas } from '../../../replicas/replicas';
import { type LaunchRequest, type SessionPod } from '../../launcher.port';
import { Clusters } from '../clusters/clusters';
import { PoolClaims } from './pool-claims.service';
import { poolKeyOf } from './pool-key';
import { WarmPods } from './warm-pods';
import { type WarmPodDocument } from './warm-pod.schema';
import { WarmPodsRepository } from './warm-pods.repository';
import { WarmPoolsRepository } from './warm-pools.repository';

type Credentials = NonNullable<LaunchRequest['credentials']>;
export type WarmLaunch = LaunchRequest & { pod: SessionPod; credentials: Credentials };

/** A pod that does not come is one the next may be like; then a cold start is surer. */
const MOST_TRIES = 3;
/** One that asked longer ago does not ask any more, whatever is stored of it. */
const ASKS_AT_LEAST_EVERY_MS = POOL_HOLD_MS + 10_000;
const LOOK_EVERY_MS = 100;

/** The pod that became the session's harness, or the credentials to start one with. */
export type Bound = { pod: WarmPodDocument } | { credentials: Credentials };

/** Gives a session a warm pod, and makes sure that it came. */
@Injectable()
export class WarmBinder {
  private readonly logger = new Logger('WarmPool');
  private readonly results;

  constructor(
    private readonly pods: WarmPodsRepository,
    private readonly pools: WarmPoolsRepository,
    private readonly warm: WarmPods,
    private readonly claims: PoolClaims,
    private readonly agents: AgentLinkService,
    private readonly clusters: Clusters,
    private readonly replicas: Replicas,
    private readonly bus: Bus,
    private readonly config: Config,
    metrics: Metrics,
  ) {
    this.results = metrics.counter(
      'reins_warm_claims_total',
      'Sessions that asked for a warm pod: bound to one, given one that came late, or none was there',
      ['result'],
    );
  }

  async bind(request: WarmLaunch): Promise<Bound> {
    const scope = orgScope(request.orgId);
    let { credentials } = request;
    if (request.hasWorkspace) return { credentials };
    const { baseUrl } = await this.clusters.get(request.pod.cluster);
    const key = poolKeyOf(request.pod, baseUrl ?? request.baseUrl);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const pod = await this.claim(scope, key, request, credentials.agentId);
      if (pod === undefined) {
        if (await this.pools.isWanted(scope, key)) this.results.inc({ result: 'none' });
        break;
      }
      const isBound = await this.give(scope, pod, credentials);
      if (isBound) {
        this.results.inc({ result: 'bound' });
        return { pod };
      }
      this.results.inc({ result: 'late' });
      this.logger.warn({ warmPodId: pod._id, sessionId: request.sessionId }, 'a warm pod did not come; it is recycled');
      await this.warm.recycle(pod);
      this.refill(pod);
      // It may come yet, with what it was given.
      if (request.renewCredentials === undefined) throw new Error('a launch that may be tried again renews its secret');
      credentials = await request.renewCredentials();
    }
    return { credentials };
  }

  /** The next pod is made when this one needs nothing any more. */
  refill({ runtimeId }: WarmPodDocument): void {
    this.bus.publish('pool.changed', { runtimeId });
  }

  private claim(
    scope: OrgScope,
    key: string,
    { sessionId, workerId, launchId, expiresAt }: WarmLaunch,
    agentId: string,
  ): Promise<WarmPodDocument | undefined> {
    const at = new Date();
    const claim = { sessionId, workerId, launchId, agentId, expiresAt, at };
    return this.pods.claim(scope, key, claim, new Date(at.getTime() - ASKS_AT_LEAST_EVERY_MS));
  }

  /** Whether the pod is the session's harness now. */
  private async give(scope: OrgScope, pod: WarmPodDocument, { agentId, secret }: Credentials): Promise<boolean> {
    const came = this.arrival(scope, agentId, pod);
    const assignment = { agentId, secret, environment: this.claims.environment };
    if (!this.claims.hand(pod._id, assignment)) this.bus.publish('pool.claimed', { warmPodId: pod._id });
    return (await came) && (await this.pods.move(scope, pod._id, 'bound')) !== undefined;
  }

  /** Whether the process in the pod, and no other, connects as the agent in time. */
  private async arrival(scope: OrgScope, agentId: string, { _id }: WarmPodDocument): Promise<boolean> {
    const late = AbortSignal.timeout(this.config.env.WARM_BIND_TIMEOUT_MS);
    const came = new AbortController();
    const over = AbortSignal.any([late, came.signal]);
    const unsubscribe = this.bus.subscribe('agent.connected', async (message) => {
      if (message.orgId !== scope.orgId || message.agentId !== agentId) return;
      // It may have asked again, as another process of the same pod, since it was claimed.
      if (message.incarnation === (await this.pods.get(scope, _id))?.incarnation) came.abort();
    });
    try {
      while (!over.aborted) {
        await systemClock.sleep(LOOK_EVERY_MS, over).catch(() => undefined);
        if (over.aborted || this.replicas.isAlone) continue;
        const [agent, pod] = await Promise.all([this.agents.startOf(scope, agentId), this.pods.get(scope, _id)]);
        if (agent?.incarnation !== undefined && agent.incarnation === pod?.incarnation) came.abort();
      }
      return came.signal.aborted;
    } finally {
      unsubscribe();
    }
  }
}
