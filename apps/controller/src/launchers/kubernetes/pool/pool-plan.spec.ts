import { backOffMs, planPools, type WantedPool } from './pool-plan';
import { type WarmPodDocument } from './warm-pod.schema';

const NOW = 1_800_000_000_000;
const LIMITS = { maxAgeMs: 3_600_000, startMs: 120_000, askMs: 60_000, claimMs: 30_000 };
const POOL: WantedPool = {
  orgId: 'org',
  runtimeId: 'rt-1',
  key: 'k',
  size: 2,
  pod: { cluster: 'here', image: 'harness', settings: {} },
  baseUrl: 'http://reins',
  notBeforeMs: 0,
  isFailing: false,
};
let made = 0;

function pod(state: WarmPodDocument['state'], ageMs: number, more: Partial<WarmPodDocument> = {}): WarmPodDocument {
  return {
    _id: `warm-${++made}`,
    orgId: 'org',
    runtimeId: 'rt-1',
    key: 'k',
    cluster: 'here',
    state,
    incarnation: null,
    claim: null,
    adopted: false,
    createdAt: new Date(NOW - ageMs),
    askedAt: state === 'starting' ? null : new Date(NOW - 1_000),
    goneAt: null,
    ...more,
  };
}

const claimed = (sinceMs: number): WarmPodDocument =>
  pod('claimed', 5_000, {
    claim: {
      sessionId: 's',
      workerId: 'w',
      launchId: 'l',
      agentId: 'a',
      expiresAt: new Date(NOW),
      at: new Date(NOW - sinceMs),
    },
  });
const plan = (pods: WarmPodDocument[], pool: Partial<WantedPool> = {}) =>
  planPools([{ ...POOL, ...pool }], pods, NOW, LIMITS);
const counts = (pods: WarmPodDocument[], pool: Partial<WantedPool> = {}) => {
  const { create, remove, failed } = plan(pods, pool);
  return { create: create.map(({ count }) => count), remove: remove.length, failed: failed.map(({ code }) => code) };
};

describe('the plan of the warm pools', () => {
  it('fills up what is missing, counting those that start and not those that are taken', () => {
    expect(counts([])).toEqual({ create: [2], remove: 0, failed: [] });
    expect(counts([pod('starting', 0)])).toEqual({ create: [1], remove: 0, failed: [] });
    expect(counts([pod('ready', 0), pod('ready', 0)])).toEqual({ create: [], remove: 0, failed: [] });
    expect(counts([pod('ready', 0), claimed(100)])).toEqual({ create: [1], remove: 0, failed: [] });
  });

  it('removes what is too much, those that start first', () => {
    const starting = pod('starting', 0);
    expect(plan([pod('ready', 9), starting, pod('ready', 8)]).remove).toEqual([starting]);
    expect(counts([pod('ready', 0), pod('ready', 0)], { size: 0 })).toEqual({ create: [], remove: 2, failed: [] });
  });

  it('removes those of a runtime that wants none, and those made in another way', () => {
    const pods = [pod('ready', 0, { runtimeId: 'rt-2' }), pod('starting', 0, { key: 'older' })];
    expect(plan(pods).remove).toEqual(pods);
    expect(planPools([], pods, NOW, LIMITS).remove).toEqual(pods);
  });

  it('replaces old ones, which stay until the younger ones are ready', () => {
    const old = [pod('ready', LIMITS.maxAgeMs + 2), pod('ready', LIMITS.maxAgeMs + 1)];
    expect(counts(old)).toEqual({ create: [2], remove: 0, failed: [] });
    expect(counts([...old, pod('starting', 0), pod('starting', 0)])).toEqual({ create: [], remove: 0, failed: [] });
    expect(plan([...old, pod('ready', 0), pod('starting', 0)]).remove).toEqual([old[0]]);
    expect(plan([...old, pod('ready', 0), pod('ready', 0)]).remove).toEqual(old);
  });

  it('counts as failed what does not start, or asks no more, and makes another one', () => {
    expect(counts([pod('starting', LIMITS.startMs + 1), pod('ready', 0)])).toEqual({
      create: [1],
      remove: 0,
      failed: ['not_ready'],
    });
    const silent = pod('ready', 1, { askedAt: new Date(NOW - LIMITS.askMs - 1) });
    expect(counts([silent, pod('ready', 0)])).toEqual({ create: [1], remove: 0, failed: ['silent'] });
  });

  it('takes back a claim whose controller died', () => {
    expect(counts([claimed(LIMITS.claimMs + 1), pod('ready', 0), pod('ready', 0)]).remove).toBe(1);
  });

  it('waits after a failure, then tries one at a time', () => {
    expect(counts([], { notBeforeMs: NOW + 1, isFailing: true }).create).toEqual([]);
    expect(counts([], { notBeforeMs: NOW, isFailing: true, size: 5 }).create).toEqual([1]);
    expect(counts([pod('starting', 0)], { isFailing: true, size: 5 }).create).toEqual([]);
  });

  it('waits twice as long after each failure, to a limit', () => {
    expect([1, 2, 3, 4, 99].map((failures) => backOffMs(failures, 5_000, 30_000))).toEqual([
      5_000, 10_000, 20_000, 30_000, 30_000,
    ]);
  });
});
