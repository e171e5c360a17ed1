import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { POOL_HOLD_MS } from '@reins/shared/api/pool';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { type Interval, startInterval, systemClock } from '@reins/shared/util';
import { orgScope } from '../../../access/principal';
import { TokenService } from '../../../access/token.service';
import { Bus } from '../../../bus/bus';
import { Config } from '../../../config/config';
import { ListenAddress } from '../../../config/listen-address';
import { type RuntimeDocument } from '../../../definitions/runtimes/runtime.schema';
import { RuntimesRepository } from '../../../definitions/runtimes/runtimes.repository';
import { Metrics } from '../../../metrics/metrics';
import { Leadership } from '../../../replicas/leadership';
import { ClusterError } from '../clusters/api-error';
import { Clusters } from '../clusters/clusters';
import { verdictOf } from '../observation/verdict';
import { sessionPod } from '../pod/session-pod';
import { backOffMs, planPools, type PoolLimits, type WantedPool } from './pool-plan';
import { poolKeyOf } from './pool-key';
import { UNCLAIMED } from './warm-pod-state';
import { type WarmPodDocument } from './warm-pod.schema';
import { WarmPods } from './warm-pods';
import { WarmPodsRepository } from './warm-pods.repository';
import { type WarmPoolDocument } from './warm-pool.schema';
import { WarmPoolsRepository } from './warm-pools.repository';

const LOOK_EVERY_MS = 1_000;
const ORPHANS_EVERY_MS = 30_000;
/** Younger than this it may be about to be stored, or to be removed. */
const ORPHAN_AFTER_MS = 60_000;
const BACKOFF_CAP_MS = 300_000;
/** A pod goes on for this much longer than it is kept, if nobody is there to replace it. */
const DEADLINE_FACTOR = 2;
const SHOWN_STATES = ['starting', 'ready', 'claimed', 'bound'] as const;

interface Failure {
  code: string;
  message: string;
}

/** Keeps as many warm pods as the runtimes want. Runs in the leader only. */
@Injectable()
export class PoolKeeper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('WarmPool');
  private readonly gauge;
  private readonly failures;
  private loop: Interval | undefined;
  private unsubscribe: (() => void) | undefined;
  private orphansAtMs = 0;

  constructor(
    private readonly runtimes: RuntimesRepository,
    private readonly pods: WarmPodsRepository,
    private readonly pools: WarmPoolsRepository,
    private readonly warm: WarmPods,
    private readonly clusters: Clusters,
    private readonly tokens: TokenService,
    private readonly leadership: Leadership,
    private readonly address: ListenAddress,
    private readonly bus: Bus,
    private readonly config: Config,
    metrics: Metrics,
  ) {
    this.gauge = metrics.gauge('reins_warm_pods', 'Warm pods by state, told by the leader', ['state']);
    this.failures = metrics.counter('reins_warm_pod_failures_total', 'Warm pods that did not start, by reason', [
      'code',
    ]);
  }

  onApplicationBootstrap(): void {
    // Without a cluster there is nothing to keep.
    if (this.clusters.names.length === 0) return;
    this.loop = startInterval({
      everyMs: LOOK_EVERY_MS,
      run: () => this.look(),
      onError: (error) => this.logger.warn({ err: error }, 'the look at the warm pods failed; it goes on'),
    });
    this.unsubscribe = this.bus.subscribe('pool.changed', () => this.loop?.trigger());
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.unsubscribe?.();
    await this.loop?.stop();
  }

  private async look(): Promise<void> {
    if (!this.leadership.isLeader()) return this.gauge.reset();
    const known = new Map((await this.pools.all()).map((pool) => [pool._id, pool]));
    const wanted = await this.wanted(known);
    await this.forgetUnwanted(wanted, known);
    const failed = await this.seen(await this.pods.waiting());
    const plan = planPools(wanted, await this.pods.waiting(), Date.now(), this.limits);
    for (const { pod, ...failure } of [...failed, ...plan.failed]) await this.fail(pod, failure, known);
    for (const pod of plan.remove) await this.warm.recycle(pod, [pod.state]);
    for (const { pool, count } of plan.create) {
      const isFailing = failed.some(({ pod }) => pod.runtimeId === pool.runtimeId);
      if (!isFailing) await this.fill(pool, count, known);
    }
    for (const name of this.clusters.names) await this.bearing(name, () => this.warm.adoptAll(name));
    if (systemClock.monotonic() > this.orphansAtMs) await this.removeOrphans();
    for (const state of SHOWN_STATES) this.gauge.set({ state }, await this.pods.count(state));
  }

  private get limits(): PoolLimits {
    const { WARM_POD_MAX_AGE_SECONDS, WARM_POD_START_MS, WARM_BIND_TIMEOUT_MS } = this.config.env;
    return {
      maxAgeMs: WARM_POD_MAX_AGE_SECONDS * 1000,
      startMs: WARM_POD_START_MS,
      askMs: 2 * POOL_HOLD_MS + 10_000,
      claimMs: WARM_BIND_TIMEOUT_MS + 10_000,
    };
  }

  private async wanted(known: ReadonlyMap<string, WarmPoolDocument>): Promise<WantedPool[]> {
    const all = await Promise.all((await this.runtimes.withWarmPods()).map((runtime) => this.poolOf(runtime, known)));
    return all.filter((pool) => pool !== undefined);
  }

  private async poolOf(
    runtime: RuntimeDocument,
    known: ReadonlyMap<string, WarmPoolDocument>,
  ): Promise<WantedPool | undefined> {
    const { _id: runtimeId, orgId, warmPods: size = 0 } = runtime;
    try {
      const pod = sessionPod(runtime, {}, this.config.env.KUBERNETES_POD ?? {}, (name) => this.clusters.nameOf(name));
      const baseUrl = (await this.clusters.get(pod.cluster)).baseUrl ?? this.address.publicUrl;
      const key = poolKeyOf(pod, baseUrl);
      const before = known.get(runtimeId);
      const fresh = { _id: runtimeId, key, failures: 0, notBefore: null, lastError: null };
      if (before?.key !== key) await this.pools.put(orgScope(orgId), fresh);
      const { failures, notBefore } = before?.key === key ? before : fresh;
      const notBeforeMs = notBefore?.getTime() ?? 0;
      return { orgId, runtimeId, key, size, pod, baseUrl, notBeforeMs, isFailing: failures > 0 };
    } catch (error) {
      if (!(error instanceof ReinsError) && !(error instanceof ClusterError)) throw error;
      this.logger.warn({ runtimeId, reason: error.message }, 'a runtime cannot have warm pods');
      return undefined;
    }
  }

  private async forgetUnwanted(
    wanted: readonly WantedPool[],
    known: ReadonlyMap<string, WarmPoolDocument>,
  ): Promise<void> {
    const ids = new Set(wanted.map(({ runtimeId }) => runtimeId));
    for (const { _id, orgId } of known.values()) if (!ids.has(_id)) await this.pools.remove(orgScope(orgId), _id);
  }

  /** Of the pods that are nobody's yet those that the cluster says have failed. */
  private async seen(waiting: readonly WarmPodDocument[]): Promise<({ pod: WarmPodDocument } & Failure)[]> {
    const unclaimed = waiting.filter(({ state }) => UNCLAIMED.includes(state));
    const failed: ({ pod: WarmPodDocument } & Failure)[] = [];
    for (const cluster of new Set(unclaimed.map((pod) => pod.cluster))) {
      await this.bearing(cluster, async () => {
        const now = Date.now();
        const observed = await (await this.warm.objectsIn(cluster)).observed(now);
        for (const pod of unclaimed.filter((each) => each.cluster === cluster)) {
          const failure = failureOf(pod, observed.get(pod._id), now, this.config.env.KUBERNETES_UNSCHEDULABLE_MS);
          if (failure !== undefined) failed.push({ pod, ...failure });
        }
      });
    }
    return failed;
  }

  private async fill(pool: WantedPool, count: number, known: ReadonlyMap<string, WarmPoolDocument>): Promise<void> {
    const { orgId, runtimeId, key, pod, baseUrl } = pool;
    const scope = orgScope(orgId);
    const lifeSeconds = DEADLINE_FACTOR * this.config.env.WARM_POD_MAX_AGE_SECONDS;
    for (let i = 0; i < count; i++) {
      const warmPodId = newId('warmPod');
      const made = await this.pods.create(scope, { _id: warmPodId, runtimeId, key, cluster: pod.cluster });
      const { image, settings } = pod;
      const token = this.tokens.signPool(warmPodId, lifeSeconds);
      const request = { warmPodId, poolKey: key, token, image, settings, baseUrl, deadlineSeconds: lifeSeconds };
      try {
        await (await this.warm.objectsIn(pod.cluster)).create(request);
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        const code = `cluster_${error.trouble}`;
        return this.fail(made, { code, message: `the cluster does not take the pod: ${error.message}` }, known);
      }
    }
  }

  private async fail(
    pod: WarmPodDocument,
    { code, message }: Failure,
    known: ReadonlyMap<string, WarmPoolDocument>,
  ): Promise<void> {
    if (!(await this.warm.recycle(pod, UNCLAIMED))) return;
    this.failures.inc({ code });
    const { runtimeId, orgId, key } = pod;
    const before = known.get(runtimeId);
    // Several that fail in one look fail for one reason.
    const failures = (before?.key === key ? before.failures : 0) + 1;
    const waitMs = backOffMs(failures, this.config.env.WARM_POD_BACKOFF_MS, BACKOFF_CAP_MS);
    const lastError = { code, message, at: new Date() };
    const notBefore = new Date(Date.now() + waitMs);
    await this.pools.put(orgScope(orgId), { _id: runtimeId, key, failures, notBefore, lastError });
    this.logger.warn({ runtimeId, warmPodId: pod._id, code, failures, waitMs }, `a warm pod failed: ${message}`);
  }

  /** What nobody knows of any more, such as what was made while the database was away. */
  private async removeOrphans(): Promise<void> {
    this.orphansAtMs = systemClock.monotonic() + ORPHANS_EVERY_MS;
    for (const cluster of this.clusters.names) {
      await this.bearing(cluster, async () => {
        const objects = await this.warm.objectsIn(cluster);
        const found = await objects.inventory();
        const alive = new Set([...(await this.pods.waiting()), ...(await this.pods.toAdopt())].map(({ _id }) => _id));
        const settled = found.filter(({ createdAt }) => createdAt < Date.now() - ORPHAN_AFTER_MS);
        const orphans = new Set(settled.map(({ id }) => id).filter((id) => id !== '' && !alive.has(id)));
        for (const id of orphans) await objects.remove(id);
      });
    }
  }

  /** One cluster that is away does not keep the others from being looked after. */
  private async bearing(cluster: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      this.logger.warn({ cluster, reason: error.message }, 'warm pods of a cluster cannot be looked after; it goes on');
    }
  }
}

/** A Job may take this long to be seen after its document. */
const MADE_BY_MS = 20_000;

function failureOf(
  pod: WarmPodDocument,
  observed: Parameters<typeof verdictOf>[0] | undefined,
  nowMs: number,
  unschedulableMs: number,
): Failure | undefined {
  if (observed === undefined) {
    const isMissing = pod.createdAt.getTime() < nowMs - MADE_BY_MS;
    return isMissing ? { code: 'pod_deleted', message: 'the Job of the pod is gone' } : undefined;
  }
  const verdict = verdictOf(observed, unschedulableMs);
  if (verdict.state === 'failed') return verdict.failure;
  if (verdict.state !== 'starting' || verdict.note === undefined) return undefined;
  return (verdict.failsAt ?? Infinity) <= nowMs ? verdict.note : undefined;
}
