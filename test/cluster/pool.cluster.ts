import { type RuntimeView, type WarmPoolView } from '@reins/shared/api/definitions';
import { type SessionView } from '@reins/shared/api/sessions';
import { newId } from '@reins/shared/ids';
import { systemClock } from '@reins/shared/util';
import { eventually } from '../support/api-client';
import { image } from './support/cluster';
import { kubectl } from './support/kubectl';
import { temporaryNamespace, type TemporaryNamespace } from './support/namespace';
import { claims, jobs, networkPolicies, pods, secrets } from './support/objects';
import { bootWorld, type World } from './support/session-world';

const WARM = 'app.kubernetes.io/component=warm';
const START_MS = 120_000;
const SETTLED_MS = 2_000;

let namespace: TemporaryNamespace;
let world: World;

beforeAll(async () => {
  namespace = await temporaryNamespace({ restricted: true });
  world = await bootWorld(namespace.name, { WARM_POD_BACKOFF_MS: '2000', WARM_BIND_TIMEOUT_MS: '10000' });
}, 180_000);

afterAll(async () => {
  await world?.close();
  await namespace?.delete();
}, 180_000);

interface Pool {
  runtimeId: string;
  workerId: string;
  state(): Promise<WarmPoolView | undefined>;
  filled(size: number): Promise<void>;
  resize(warmPods: number): Promise<void>;
}

async function pool(warmPods: number, vwImage = image('harness')): Promise<Pool> {
  const name = newId('runtime');
  const runtime = { name, baseImage: 'node:20', vwImage, warmPods };
  const { id: runtimeId } = await world.api.must<RuntimeView>('POST', '/admin/runtimes', runtime);
  const worker = { name, runtimeId, cliType: 'javascript' };
  const { id: workerId } = await world.api.must<{ id: string }>('POST', '/admin/workers', worker);
  const path = `/admin/runtimes/${runtimeId}`;
  const state = async () => (await world.api.must<RuntimeView>('GET', path)).warmPool;
  return {
    runtimeId,
    workerId,
    state,
    filled: (size) =>
      eventually(async () => expect(await state()).toMatchObject({ ready: size, starting: 0 }), START_MS, 200),
    resize: async (size) => void (await world.api.must('PUT', path, { warmPods: size })),
  };
}

async function timed(workerId: string): Promise<{ session: SessionView; ms: number }> {
  const from = performance.now();
  const { id } = await world.session(workerId);
  const session = await eventually(
    async () => {
      const now = await world.api.get(id);
      expect(now.status).toBe('active');
      return now;
    },
    START_MS,
    5,
  );
  return { session, ms: Math.round(performance.now() - from) };
}

const of = (sessionId: string): string => `reins.dev/session=${sessionId}`;
const warmId = (pod: { metadata?: { labels?: Record<string, string> } } | undefined): string =>
  pod?.metadata?.labels?.['reins.dev/warm'] ?? '';
const exec = (pod: string, ...command: string[]): Promise<string> =>
  kubectl(['exec', pod, `--namespace=${namespace.name}`, '--', ...command]);
const gone = (selector: string): Promise<void> =>
  eventually(
    async () => {
      const lists = [jobs, pods, secrets, claims, networkPolicies].map((list) => list(namespace.name, selector));
      expect((await Promise.all(lists)).flat()).toEqual([]);
    },
    90_000,
    250,
  );

describe('warm pods', () => {
  it('wait without a secret of anybody, become a session at once, keep its files, and go with it', async () => {
    const { api } = world;
    const own = await pool(1);
    await own.filled(1);
    const [waiting] = await pods(namespace.name, WARM);
    const [secret] = await secrets(namespace.name, WARM);
    const [policy] = await networkPolicies(namespace.name, WARM);
    expect(Object.keys(secret?.data ?? {}).sort()).toEqual(['AIWM_BASE_URL', 'REINS_POOL_TOKEN']);
    const name = waiting?.metadata?.name ?? '';
    const environment = await exec(name, 'sh', '-c', 'cat /proc/[0-9]*/environ');
    expect(environment).toContain('REINS_POOL_TOKEN');
    expect(environment).not.toMatch(/AGENT_ID|AGENT_SECRET|API_KEY|JWT_SECRET/);
    expect(policy?.spec?.podSelector?.matchLabels).toEqual({ 'reins.dev/warm': warmId(waiting) });
    expect(waiting?.metadata?.labels).not.toHaveProperty('reins.dev/session');

    const { session, ms } = await timed(own.workerId);
    process.stdout.write(`the first from the pool: ${ms} ms\n`);
    const { id } = session;
    const [bound] = await eventually(
      async () => {
        const found = await pods(namespace.name, of(id));
        expect(found).toHaveLength(1);
        return found;
      },
      10_000,
      100,
    );
    expect(bound?.metadata?.uid).toBe(waiting?.metadata?.uid);
    expect(bound?.metadata?.labels).toMatchObject({ 'app.kubernetes.io/component': 'session' });
    expect(bound?.metadata?.annotations).toMatchObject({ 'reins.dev/org': 'cluster-tests' });
    const [job] = await jobs(namespace.name, of(id));
    expect(job?.spec?.activeDeadlineSeconds).toBeGreaterThan(3_600);
    expect(job?.spec?.activeDeadlineSeconds).toBeLessThan(2 * 3_600);
    expect(await claims(namespace.name, of(id))).toHaveLength(1);
    expect((await api.prompt(id, "require('fs').writeFileSync('kept.txt', 'warm'); 6 * 7")).response).toBe('42');

    // The next one comes in its place, and what the session keeps is found by another pod.
    await own.filled(1);
    await api.must('POST', `/sessions/${id}/suspend`);
    await api.until(id, 'suspended', 60_000);
    await eventually(async () => expect(await pods(namespace.name, of(id))).toEqual([]), 60_000, 200);
    expect((await api.prompt(id, "require('fs').readFileSync('kept.txt', 'utf8')")).response).toBe('warm');
    expect(await own.state()).toMatchObject({ ready: 1 });
    expect(await claims(namespace.name, of(id))).toHaveLength(1);

    await api.must('DELETE', `/sessions/${id}`);
    await api.until(id, 'ended', 60_000);
    await gone(of(id));
    await own.resize(0);
    await gone(WARM);
  }, 400_000);

  it('make sessions active without a start: measured', async () => {
    const own = await pool(2);
    const warm: number[] = [];
    for (let i = 0; i < 5; i++) {
      await own.filled(2);
      // The starts of its successors are over, too.
      await systemClock.sleep(SETTLED_MS);
      const { session, ms } = await timed(own.workerId);
      warm.push(ms);
      await eventually(async () => {
        const [bound] = await pods(namespace.name, of(session.id));
        expect(warmId(bound)).toMatch(/^warm-/);
      }, 10_000);
      await world.api.must('DELETE', `/sessions/${session.id}`);
      await gone(of(session.id));
    }
    warm.sort((a, b) => a - b);
    await own.resize(0);
    await gone(WARM);
    const { session, ms: cold } = await timed(own.workerId);
    const [started] = await pods(namespace.name, of(session.id));
    expect(warmId(started)).toBe('');
    await world.api.must('DELETE', `/sessions/${session.id}`);
    process.stdout.write(`create to active, ms: warm ${warm.join(' ')} (p50 ${warm[2]}); cold ${cold}\n`);
  }, 400_000);

  it('that dies between claim and bound gives way to the next one', async () => {
    const own = await pool(2);
    await own.filled(2);
    const before = await pods(namespace.name, WARM);
    const [oldest, next] = before.sort((a, b) => (warmId(a) < warmId(b) ? -1 : 1));
    // Stopped, it still counts as ready; it is claimed, and never comes.
    const harness =
      "for p in /proc/[0-9]*; do grep -q 'harness/[m]ain.js' $p/cmdline && kill -STOP ${p#/proc/}; done; true";
    await exec(oldest?.metadata?.name ?? '', 'sh', '-c', harness);
    const { session } = await timed(own.workerId);
    await eventually(async () => {
      const [bound] = await pods(namespace.name, of(session.id));
      expect(warmId(bound)).toBe(warmId(next));
    });
    await gone(`reins.dev/warm=${warmId(oldest)}`);
    await world.api.must('DELETE', `/sessions/${session.id}`);
    await own.resize(0);
    await gone(WARM);
  }, 300_000);

  it('that cannot start are tried less and less often, and their runtime says why', async () => {
    const broken = await pool(3, 'localhost/reins-no-such-image:dev');
    const first = await eventually(
      async () => {
        const state = await broken.state();
        expect(state?.lastError).toMatchObject({ code: 'image_pull_failed' });
        return state;
      },
      60_000,
      100,
    );
    expect(first?.ready).toBe(0);
    // One at a time from now on.
    await eventually(
      async () => {
        const state = await broken.state();
        expect(state?.lastError?.at).not.toBe(first?.lastError?.at);
      },
      60_000,
      100,
    );
    expect((await jobs(namespace.name, WARM)).length).toBeLessThanOrEqual(1);
    const metrics = await (await fetch(`${world.api.url}/metrics`)).text();
    expect(metrics).toContain('reins_warm_pod_failures_total{code="image_pull_failed"}');
    await broken.resize(0);
    await gone(WARM);
  }, 200_000);
});
