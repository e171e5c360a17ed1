import { type SessionPod } from '../../launcher.port';
import { type WarmPodDocument } from './warm-pod.schema';

/** The warm pods a runtime should have. */
export interface WantedPool {
  orgId: string;
  runtimeId: string;
  key: string;
  size: number;
  pod: SessionPod;
  baseUrl: string;
  /** None is made before, after one failed. */
  notBeforeMs: number;
  /** While they fail they are tried one at a time. */
  isFailing: boolean;
}

export interface PoolLimits {
  /** Replaced when it has waited this long. */
  maxAgeMs: number;
  /** How long a start may take. */
  startMs: number;
  /** One that is ready asks at least this often. */
  askMs: number;
  /** Whoever claimed it has given it up by then, if it lives. */
  claimMs: number;
}

export interface PoolPlan {
  create: { pool: WantedPool; count: number }[];
  /** Not needed, or too old. */
  remove: WarmPodDocument[];
  /** Should be there and are not. */
  failed: { pod: WarmPodDocument; code: 'not_ready' | 'silent'; message: string }[];
}

/** What has to be done for the pools to be as they should. Pure. */
export function planPools(
  wanted: readonly WantedPool[],
  waiting: readonly WarmPodDocument[],
  nowMs: number,
  limits: PoolLimits,
): PoolPlan {
  const plan: PoolPlan = { create: [], remove: [], failed: [] };
  const remaining = new Map<WantedPool, WarmPodDocument[]>(wanted.map((pool) => [pool, []]));
  for (const pod of waiting) {
    const pool = wanted.find(({ runtimeId, key }) => runtimeId === pod.runtimeId && key === pod.key);
    if (pod.state === 'claimed') {
      if ((pod.claim?.at.getTime() ?? 0) < nowMs - limits.claimMs) plan.remove.push(pod);
    } else if (pool === undefined) plan.remove.push(pod);
    else if (pod.state === 'starting' && pod.createdAt.getTime() < nowMs - limits.startMs) {
      const message = `the pod did not ask for a session within ${limits.startMs / 1000} s`;
      plan.failed.push({ pod, code: 'not_ready', message });
    } else if (pod.state === 'ready' && (pod.askedAt?.getTime() ?? 0) < nowMs - limits.askMs) {
      plan.failed.push({ pod, code: 'silent', message: 'the pod does not ask for a session any more' });
    } else remaining.get(pool)?.push(pod);
  }
  for (const [pool, pods] of remaining) planPool(plan, pool, pods, nowMs, limits);
  return plan;
}

/** Old ones go when there are enough younger ones to take their place. */
function planPool(
  plan: PoolPlan,
  pool: WantedPool,
  pods: readonly WarmPodDocument[],
  nowMs: number,
  { maxAgeMs }: PoolLimits,
): void {
  const isOld = (pod: WarmPodDocument): boolean => pod.createdAt.getTime() < nowMs - maxAgeMs;
  const old = pods.filter(isOld);
  const young = pods.filter((pod) => !isOld(pod));
  const ready = young.filter(({ state }) => state === 'ready').length;
  // The ready ones of those that are too many are the last to go.
  const leaving = [...young].sort((a, b) => Number(a.state === 'ready') - Number(b.state === 'ready'));
  plan.remove.push(...leaving.slice(0, Math.max(0, young.length - pool.size)));
  const spared = Math.max(0, pool.size - ready);
  plan.remove.push(...old.slice(0, Math.max(0, old.length - spared)));
  const missing = pool.size - young.length;
  if (missing <= 0 || nowMs < pool.notBeforeMs) return;
  const isTrying = pool.isFailing && young.some(({ state }) => state === 'starting');
  if (!isTrying) plan.create.push({ pool, count: pool.isFailing ? 1 : missing });
}

/** How long after the `failures`th in a row the next one is tried. */
export function backOffMs(failures: number, baseMs: number, capMs: number): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30));
}
