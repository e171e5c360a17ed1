import { type SessionView } from '@reins/shared/api/sessions';
import { eventually } from '../support/api-client';
import { canStopParts, stopPart } from './support/cluster';
import { temporaryNamespace, type TemporaryNamespace } from './support/namespace';
import { kubectl } from './support/kubectl';
import { jobs, pods } from './support/objects';
import { bootWorld, type World } from './support/session-world';

/** Ends the harness from inside its pod; its image has no tools for that. */
const KILL_HARNESS = 'for p in /proc/[0-9]*; do grep -q opt/reins/harness $p/cmdline && kill -9 ${p#/proc/}; done';
const LONG = 'for (let i = 0; i < 300; i++) { console.log(i); await new Promise((go) => setTimeout(go, 100)); }';

const of = (sessionId: string): string => `reins.dev/session=${sessionId}`;

describe('what becomes of a session whose pod fails', () => {
  let namespace: TemporaryNamespace;
  let world: World;

  beforeAll(async () => {
    namespace = await temporaryNamespace({ restricted: true });
    world = await bootWorld(namespace.name, { KUBERNETES_UNSCHEDULABLE_MS: '12000', JAVASCRIPT_WALL_MS: '60000' });
  }, 120_000);

  afterAll(async () => {
    await world?.close();
    await namespace?.delete();
  }, 180_000);

  async function active(pod: object = {}): Promise<string> {
    const { id } = await world.session(await world.worker('javascript', pod));
    await world.api.until(id, 'active', 60_000);
    return id;
  }

  async function podOf(id: string): Promise<string> {
    const [pod] = await pods(namespace.name, of(id));
    return pod?.metadata?.name ?? '';
  }

  /** A turn is under way in the pod. */
  async function working(id: string): Promise<{ turn: Promise<{ status: number }> }> {
    const turn = world.api.call('POST', `/sessions/${id}/prompt`, { prompt: LONG });
    await eventually(async () => {
      const log = await world.api.log(id);
      expect(log.some(({ type }) => type === 'console')).toBe(true);
    }, 30_000);
    // In an object, for a promise would be awaited.
    return { turn };
  }

  /** Nothing missing, nothing twice, one end for every turn. */
  async function expectExactLog(id: string): Promise<void> {
    const log = await world.api.log(id);
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
    const turns = new Set(log.flatMap(({ turnId }) => (turnId === undefined ? [] : [turnId])));
    const ends = log.filter(({ type }) => type === 'turn.completed').map(({ turnId }) => turnId);
    expect(ends.toSorted()).toEqual([...turns].toSorted());
  }

  async function failed(pod: object, image?: string): Promise<SessionView> {
    const { id } = await world.session(await world.worker('javascript', pod, image));
    const session = await world.api.until(id, 'failed', 60_000);
    const [operation] = await world.api.must<
      { type: string; status: string; error: { code: string; message: string } }[]
    >('GET', `/sessions/${id}/operations`);
    expect(operation).toMatchObject({ type: 'Create', status: 'Failed', error: { code: session.statusReason?.code } });
    expect(operation?.error.message).toBe(session.statusReason?.message);
    await eventually(async () => expect(await jobs(namespace.name, of(id))).toEqual([]), 30_000, 200);
    return session;
  }

  /** Says how long the controller took to know, once the cluster knew. */
  async function interrupted(
    id: string,
    fail: () => Promise<unknown>,
    code: string,
    stopReason: string,
  ): Promise<void> {
    const { turn } = await working(id);
    await fail();
    const answer = await turn;
    expect(answer.status).toBe(409);
    expect(await world.api.until(id, 'suspended', 30_000)).toMatchObject({ statusReason: { code } });
    const [last] = await world.api.telemetry(id);
    expect(last).toMatchObject({ status: 'interrupted', stopReason });
    await expectExactLog(id);
    expect((await world.api.prompt(id, '1 + 1')).response).toBe('2');
    await world.api.must('DELETE', `/sessions/${id}`);
  }

  it('an image that is not there: failed, with what to check', async () => {
    const { statusReason } = await failed({ imagePullPolicy: 'Never' }, 'localhost/reins-missing:dev');
    expect(statusReason).toMatchObject({
      code: 'image_pull_failed',
      message: expect.stringContaining('vwImage') as string,
    });
  }, 120_000);

  it('a pod that fits on no node: says what it waits for, then fails with it', async () => {
    const { id, statusReason } = await failed({ resources: { requests: { cpu: '900' }, limits: { cpu: '900' } } });
    expect(statusReason).toMatchObject({
      code: 'unschedulable',
      message: expect.stringContaining('Insufficient cpu') as string,
    });
    const states = (await world.api.log(id)).filter(({ type }) => type === 'session.state');
    const codes = states.flatMap(({ data }) => (data['reason'] as { code: string } | undefined)?.code ?? []);
    expect(codes).toEqual(['unschedulable', 'unschedulable']);
  }, 120_000);

  it('a harness that needs more memory than it has: failed, with the limit', async () => {
    const limits = { memory: '24Mi' };
    const { statusReason } = await failed({ resources: { requests: { memory: '16Mi' }, limits } });
    expect(statusReason).toMatchObject({ code: 'oom_killed', message: expect.stringContaining('24Mi') as string });
  }, 120_000);

  it('a runtime class that the cluster does not have: failed, refused', async () => {
    const { statusReason } = await failed({ runtimeClassName: 'gvisor' });
    expect(statusReason).toMatchObject({
      code: 'admission_refused',
      message: expect.stringContaining('gvisor') as string,
    });
  }, 120_000);

  it('L23 SIGKILL of the harness: the turn is interrupted, the next prompt runs in a new pod', async () => {
    const id = await active();
    const pod = await podOf(id);
    const kill = () =>
      kubectl(['exec', pod, `--namespace=${namespace.name}`, '--', 'sh', '-c', KILL_HARNESS]).catch(() => undefined);
    await interrupted(id, kill, 'harness_exited', 'harness_exited');
  }, 240_000);

  it('a deleted pod: its harness says goodbye, the turn is interrupted, the next prompt runs in a new pod', async () => {
    const id = await active();
    const pod = await podOf(id);
    const drop = () =>
      kubectl(['delete', 'pod', pod, `--namespace=${namespace.name}`, '--grace-period=5', '--wait=false']);
    await interrupted(id, drop, 'harness_drained', 'harness_drained');
  }, 240_000);

  it('a deleted Job: the same, and the harness has the time to end the turn itself', async () => {
    const id = await active();
    const [job] = await jobs(namespace.name, of(id));
    const drop = () =>
      kubectl(['delete', 'job', job?.metadata?.name ?? '', `--namespace=${namespace.name}`, '--wait=false']);
    await interrupted(id, drop, 'harness_drained', 'harness_stopped');
  }, 240_000);

  it('L24 memory used up by the agent: its turn fails, its session lives', async () => {
    const id = await active({ resources: { requests: { memory: '96Mi' }, limits: { memory: '160Mi' } } });
    const hog =
      'const all = []; for (;;) { all.push(Buffer.alloc(8 << 20, 1)); await new Promise((go) => setTimeout(go, 5)); }';
    const answer = await world.api.call('POST', `/sessions/${id}/prompt`, { prompt: hog });
    expect([409, 422]).toContain(answer.status);
    await expectExactLog(id);
    expect((await world.api.prompt(id, '1 + 1')).response).toBe('2');
    await world.api.must('DELETE', `/sessions/${id}`);
  }, 240_000);

  // Elsewhere nobody may stop it; then this is counted as skipped, not as passed.
  (canStopParts() ? it : it.skip)(
    'the API server away for 30 s: what runs goes on, what starts waits and says why, then goes',
    async () => {
      const id = await active();
      const starting = await world.worker();
      const back = await stopPart('apiserver');
      let waiting: string | undefined;
      try {
        const { turn } = await working(id);
        const { id: late } = await world.session(starting);
        waiting = late;
        await eventually(async () => {
          expect((await world.api.get(late)).statusReason).toMatchObject({ code: 'launcher_away' });
        }, 30_000);
        await new Promise((resolve) => setTimeout(resolve, 30_000));
        expect((await turn).status).toBe(200);
      } finally {
        await back();
      }
      await world.api.until(waiting ?? '', 'active', 60_000);
      await expectExactLog(id);
      for (const one of [id, waiting ?? '']) {
        await world.api.must('DELETE', `/sessions/${one}`);
        await world.api.until(one, 'ended', 60_000);
      }
    },
    300_000,
  );

  it('leaves nothing behind', async () => {
    for (const { id } of await world.api.must<{ id: string }[]>('GET', '/sessions?limit=100')) {
      await world.api.must('DELETE', `/sessions/${id}`);
    }
    const nothing = { jobs: 0, pods: 0, secrets: 0, claims: 0, networkPolicies: 0 };
    await eventually(async () => expect(await world.remains()).toEqual(nothing), 90_000, 250);
  }, 120_000);
});

describe('a namespace with a quota', () => {
  it('that is used up: the session fails with it, and the next starts once there is room', async () => {
    const namespace = await temporaryNamespace({ restricted: true, quota: { pods: '1' } });
    const world = await bootWorld(namespace.name);
    try {
      const worker = await world.worker();
      const { id } = await world.session(worker);
      await world.api.until(id, 'active', 60_000);
      const { id: refused } = await world.session(worker);
      const { statusReason } = await world.api.until(refused, 'failed', 60_000);
      expect(statusReason).toMatchObject({
        code: 'quota_exceeded',
        message: expect.stringContaining('exceeded quota') as string,
      });
      await world.api.must('DELETE', `/sessions/${id}`);
      await eventually(async () => expect(await pods(namespace.name)).toEqual([]), 60_000, 200);
      const { id: next } = await world.session(worker);
      await world.api.until(next, 'active', 60_000);
    } finally {
      await world.close();
      await namespace.delete();
    }
  }, 240_000);
});
