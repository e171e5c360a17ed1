import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RuntimeView } from '@reins/shared/api/definitions';
import { type SessionView } from '@reins/shared/api/sessions';
import { newId } from '@reins/shared/ids';
import { orgScope } from '../../apps/controller/src/access/principal';
import { TokenService } from '../../apps/controller/src/access/token.service';
import { type RunningController, startController } from '../../apps/controller/src/bootstrap';
import { loadConfig } from '../../apps/controller/src/config/config';
import { sessionPod } from '../../apps/controller/src/launchers/kubernetes/pod/session-pod';
import { poolKeyOf } from '../../apps/controller/src/launchers/kubernetes/pool/pool-key';
import { type WarmPodDocument } from '../../apps/controller/src/launchers/kubernetes/pool/warm-pod.schema';
import { WarmPodsRepository } from '../../apps/controller/src/launchers/kubernetes/pool/warm-pods.repository';
import { ApiClient, eventually } from '../support/api-client';
import { bootController, type TestController } from '../support/controller';

/**
 * The pool without a cluster: the Kubernetes API is away for the whole time, so the pods are processes this test starts
 * with the tokens of pods, and whatever becomes of a session comes from the pool alone.
 */
const ROOT = join(__dirname, '../..');
const MAIN = join(ROOT, 'dist/apps/harness/main.js');
const ORG = 'default';
const JWT_SECRET = 'a secret that two controllers of this test share';

jest.setTimeout(60_000);

let folder: string;
let environment: Record<string, string>;
let controller: TestController;
let beside: RunningController;
let api: ApiClient;
const running = new Map<string, Warm>();

interface Warm {
  id: string;
  child: ChildProcess;
  exited: Promise<number | null>;
  stderr: () => string;
}

beforeAll(async () => {
  execFileSync('npx', ['nest', 'build', 'harness'], { cwd: ROOT, stdio: 'ignore' });
  folder = mkdtempSync(join(tmpdir(), 'reins-pool-'));
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, JSON.stringify(nowhere()));
  process.env['POOL_TEST_KEY'] = 'the key of a model';
  environment = {
    JWT_SECRET,
    LAUNCHER: 'kubernetes',
    LAUNCHER_CLUSTERS: JSON.stringify({ nowhere: { kubeconfig } }),
    KUBERNETES_TIMEOUT_MS: '300',
    HARNESS_ENV: 'POOL_TEST_KEY',
    SESSION_END_TIMEOUT_MS: '1000',
    WARM_BIND_TIMEOUT_MS: '1500',
    WARM_POD_BACKOFF_MS: '60000',
    REPLICA_LEASE_MS: '1000',
  };
  controller = await bootController(environment);
  // Told the same address, so that both would make the same pods.
  const shared = { PORT: '0', LOG_LEVEL: 'silent', REINS_DATA_DIR: join(folder, 'beside'), PUBLIC_URL: controller.url };
  const config = loadConfig({ ...environment, ...shared, MONGODB_URI: controller.mongoUri }, () => JWT_SECRET);
  beside = await startController(config);
  api = new ApiClient(controller.url);
}, 180_000);

afterEach(() => {
  for (const { child } of running.values()) child.kill('SIGKILL');
  running.clear();
});

afterAll(async () => {
  delete process.env['POOL_TEST_KEY'];
  await beside?.stop();
  await controller?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** A cluster whose API does not answer. */
function nowhere(): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'nowhere', cluster: { server: 'http://127.0.0.1:1' } }],
    users: [{ name: 'nobody', user: {} }],
    contexts: [{ name: 'nowhere', context: { cluster: 'nowhere', user: 'nobody' } }],
    'current-context': 'nowhere',
  };
}

const pods = (): WarmPodsRepository => controller.app.get(WarmPodsRepository, { strict: false });
const stateOf = async (id: string): Promise<WarmPodDocument['state'] | undefined> =>
  (await pods().get(orgScope(ORG), id))?.state;

/** A runtime that wants so many warm pods, and a worker on it. */
async function pool(size: number, more: object = {}): Promise<{ runtime: RuntimeView; workerId: string }> {
  const name = newId('runtime');
  const body = { name, baseImage: `harness:${name}`, warmPods: size };
  const runtime = await api.must<RuntimeView>('POST', '/admin/runtimes', body);
  const worker = { name, runtimeId: runtime.id, cliType: 'javascript', ...more };
  return { runtime, workerId: (await api.must<{ id: string }>('POST', '/admin/workers', worker)).id };
}

/** A warm pod of the runtime: its document, and the process its container would be. */
async function warm(runtime: RuntimeView, at: string = controller.url): Promise<Warm> {
  const id = newId('warmPod');
  const key = poolKeyOf(
    sessionPod(runtime, {}, {}, () => 'nowhere'),
    controller.url,
  );
  await pods().create(orgScope(ORG), { _id: id, runtimeId: runtime.id, key, cluster: 'nowhere' });
  const child = spawn(process.execPath, [MAIN], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: join(folder, id),
      AIWM_BASE_URL: at,
      REINS_POOL_TOKEN: token(id),
      REINS_MANAGED: 'true',
      REINS_WORKSPACE: join(folder, id, 'workspace'),
      REINS_STATE_DIR: join(folder, id, 'state'),
      REINS_HEALTH_PORT: '0',
      REINS_DRAIN_SECONDS: '1',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const made = { id, child, exited, stderr: () => stderr };
  running.set(id, made);
  await eventually(async () => expect(await stateOf(id)).toBe('ready'));
  return made;
}

const token = (id: string): string => controller.app.get(TokenService, { strict: false }).signPool(id, 600);
const bearer = (value: string): ApiClient => new ApiClient(controller.url, { Authorization: `Bearer ${value}` });
const question = { incarnation: newId('incarnation') };

async function timed(workerId: string): Promise<{ session: SessionView; ms: number }> {
  const from = performance.now();
  const { id } = await api.session(workerId);
  const session = await eventually(
    async () => {
      const now = await api.get(id);
      expect(now.status).toBe('active');
      return now;
    },
    20_000,
    5,
  );
  return { session, ms: performance.now() - from };
}

const sessionOf = async (id: string): Promise<string | undefined> =>
  (await pods().get(orgScope(ORG), id))?.claim?.sessionId;

describe('the pool of warm pods', () => {
  it('gives a session to a harness that waits, which knows nobody before', async () => {
    const { runtime, workerId } = await pool(1);
    const pod = await warm(runtime);
    const before = readFileSync(`/proc/${pod.child.pid}/environ`, 'utf8');
    expect(before).toContain('REINS_POOL_TOKEN');
    expect(before).not.toMatch(/AGENT_ID|AGENT_SECRET|POOL_TEST_KEY/);

    const { session } = await timed(workerId);
    expect(await sessionOf(pod.id)).toBe(session.id);
    await eventually(async () => expect(await stateOf(pod.id)).toBe('bound'));
    await api.prompt(session.id, '40 + 2');
    await eventually(async () => expect((await api.telemetry(session.id))[0]?.status).toBe('complete'));

    // What it held before is worth nothing now.
    expect((await bearer(token(pod.id)).call('POST', '/pool/claims', question)).status).toBe(401);
    await api.must('DELETE', `/sessions/${session.id}`);
  });

  it('is quick about it', async () => {
    const { runtime, workerId } = await pool(1);
    const times: number[] = [];
    for (let i = 0; i < 9; i++) {
      const pod = await warm(runtime);
      const { session, ms } = await timed(workerId);
      expect(await sessionOf(pod.id)).toBe(session.id);
      times.push(Math.round(ms));
      pod.child.kill('SIGKILL');
    }
    process.stdout.write(`create to active from the pool, ms: ${times.sort((a, b) => a - b).join(' ')}\n`);
  });

  it('answers /health while it waits', async () => {
    const { runtime } = await pool(1);
    const pod = await warm(runtime);
    const { url } = await eventually(
      async () => JSON.parse(readFileSync(join(folder, pod.id, 'state/health.json'), 'utf8')) as { url: string },
    );
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect((await fetch(`${url}/ready`)).status).toBe(503);
  });

  it('opens one route to its token, to nobody else, and only while it waits', async () => {
    const { runtime } = await pool(1);
    const { id } = await warm(runtime);
    const own = bearer(token(id));
    for (const path of ['/sessions', '/admin/runtimes', '/agents', `/agents/${'0'.repeat(24)}/config`]) {
      expect([path, (await own.call('GET', path)).status]).toEqual([path, 403]);
    }
    expect((await own.call('POST', '/sessions', {})).status).toBe(403);
    expect((await api.call('POST', '/pool/claims', question)).status).toBe(403);
    expect((await bearer('nonsense').call('POST', '/pool/claims', question)).status).toBe(401);
    expect((await bearer(token(newId('warmPod'))).call('POST', '/pool/claims', question)).status).toBe(401);
    expect((await own.call('POST', '/pool/claims', {})).status).toBe(400);
  });

  it('tries the next one where the first does not come, which never becomes the harness later', async () => {
    const { runtime, workerId } = await pool(2);
    const [first, second] = [await warm(runtime), await warm(runtime)];
    first.child.kill('SIGSTOP');
    const { session, ms } = await timed(workerId);
    expect(ms).toBeGreaterThan(1_500);
    expect(await sessionOf(second.id)).toBe(session.id);
    expect(await stateOf(first.id)).toBe('gone');

    first.child.kill('SIGCONT');
    await first.exited;
    await api.prompt(session.id, '40 + 2');
    await eventually(async () => expect((await api.telemetry(session.id))[0]?.status).toBe('complete'));
    expect(second.child.exitCode).toBeNull();
  });

  it('gives each harness to one of many sessions that come at once', async () => {
    const { runtime, workerId } = await pool(3);
    const waiting = [await warm(runtime), await warm(runtime), await warm(runtime)];
    const sessions = await Promise.all([timed(workerId), timed(workerId), timed(workerId)]);
    const given = await Promise.all(waiting.map(({ id }) => sessionOf(id)));
    expect(given.sort()).toEqual(sessions.map(({ session }) => session.id).sort());
  });

  it('is answered by the other controller where the pod asks that one', async () => {
    const { runtime, workerId } = await pool(1);
    const pod = await warm(runtime, beside.url);
    const { session } = await timed(workerId);
    expect(await sessionOf(pod.id)).toBe(session.id);
    expect(pod.child.exitCode).toBeNull();
  });

  it('leaves sessions of workers with a pod of their own alone', async () => {
    const { runtime, workerId } = await pool(1, { pod: { priorityClassName: 'high' } });
    const pod = await warm(runtime);
    const { id } = await api.session(workerId);
    await eventually(async () =>
      expect((await api.get(id)).statusReason?.message).toContain('The harness cannot be started yet'),
    );
    expect(await stateOf(pod.id)).toBe('ready');
    await api.must('DELETE', `/sessions/${id}`);
  });

  it('sends home those that are not wanted any more, and says why there are none', async () => {
    const { runtime, workerId } = await pool(1);
    const pod = await warm(runtime);
    const path = `/admin/runtimes/${runtime.id}`;
    const filled = await api.must<RuntimeView>('GET', path);
    expect(filled.warmPool).toMatchObject({ size: 1, ready: 1, starting: 0, lastError: null });
    await api.must('PUT', path, { warmPods: 0 });
    expect(await pod.exited).toBe(0);
    expect(pod.stderr()).not.toMatch(/error/i);
    expect((await api.must<RuntimeView>('GET', path)).warmPool).toBeUndefined();

    await api.must('PUT', path, { warmPods: 1 });
    await eventually(async () => {
      const { warmPool } = await api.must<RuntimeView>('GET', path);
      expect(warmPool).toMatchObject({ size: 1, ready: 0, lastError: { code: 'cluster_away' } });
    });
    const metrics = await (await fetch(`${beside.url}/metrics`)).text();
    const own = await (await fetch(`${controller.url}/metrics`)).text();
    expect(metrics + own).toContain('reins_warm_pod_failures_total{code="cluster_away"}');
    await api.must('DELETE', `/admin/workers/${workerId}`);
    await api.must('DELETE', path);
  });
});
