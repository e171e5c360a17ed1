import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SessionLogEvent } from '@reins/shared/link/events';
import { systemClock } from '@reins/shared/util';
import { DirectoryLock } from '../../libs/embedded-mongo/src/storage/lock';
import { ApiClient, eventually } from '../support/api-client';
import { FlakyProxy } from '../support/flaky-proxy';
import { type BuiltController, startBuiltController } from '../support/processes';

const LINES = 60;
/** Prints numbered lines for about three seconds. */
const COUNT = `var printed = 0; for (let i = 0; i < ${LINES}; i++) { console.log('line ' + i); printed++; await new Promise((go) => setTimeout(go, 50)); }`;
const EXPECTED = Array.from({ length: LINES }, (_, i) => `line ${i}`);
const limits = { wallMs: 120_000, cpuMs: 60_000 };

let controller: BuiltController;
let api: ApiClient;

async function boot(env: Record<string, string> = {}): Promise<void> {
  controller = await startBuiltController({ env });
  api = new ApiClient(controller.url);
}

/** The same controller again, as a supervisor would start it: same address, same data. */
async function reboot(env: Record<string, string> = {}): Promise<void> {
  const { port } = new URL(controller.url);
  controller = await startBuiltController({ dataDir: controller.dataDir, env: { PORT: port, ...env } });
}

async function activeSession(): Promise<string> {
  const { id } = await api.session(await api.worker(), { settings: { limits } });
  await api.until(id, 'active');
  return id;
}

/** A prompt whose caller hangs up, so that the test is free to look at the log instead. */
async function begin(sessionId: string, prompt = COUNT): Promise<void> {
  const hangUp = new AbortController();
  for await (const _ of api.sse('POST', `/sessions/${sessionId}/stream`, { prompt }, {}, hangUp.signal)) break;
  hangUp.abort();
}

const lines = (log: readonly SessionLogEvent[]): unknown[] =>
  log.filter(({ type }) => type === 'console').map(({ data }) => data['text']);

const ends = (log: readonly SessionLogEvent[]): SessionLogEvent[] =>
  log.filter(({ type }) => type === 'turn.completed');

async function untilLines(sessionId: string, count: number): Promise<void> {
  await eventually(async () => expect(lines(await api.log(sessionId)).length).toBeGreaterThanOrEqual(count));
}

async function untilEnded(sessionId: string, turns = 1): Promise<SessionLogEvent[]> {
  return eventually(async () => {
    const log = await api.log(sessionId);
    expect(ends(log)).toHaveLength(turns);
    return log;
  }, 60_000);
}

function expectWhole(log: readonly SessionLogEvent[]): void {
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
  expect(lines(log)).toEqual(EXPECTED);
  expect(ends(log)[0]?.data).toMatchObject({ status: 'complete' });
}

function harnessPid(sessionId: string): number {
  const record = readFileSync(join(controller.dataDir, 'sessions', sessionId, 'process.json'), 'utf8');
  return (JSON.parse(record) as { pid: number }).pid;
}

function databasePid(): number {
  const pid = DirectoryLock.holder(join(controller.dataDir, 'database'));
  if (pid === undefined) throw new Error('the embedded database is not running');
  return pid;
}

jest.setTimeout(120_000);
afterEach(() => controller.stop());

describe('the controller dies', () => {
  it.each(['SIGKILL', 'SIGTERM'] as const)(
    '%s mid-stream: the turn finishes, every event is there once, a client resumes by Last-Event-ID',
    async (signal) => {
      await boot();
      const id = await activeSession();
      const seen: { id: string; data: string }[] = [];
      let cut = false;
      try {
        for await (const event of api.sse('GET', `/sessions/${id}/events`)) {
          if (event.event !== undefined) {
            if (event.event === 'caught-up') void begin(id).catch(() => undefined);
            continue;
          }
          seen.push({ id: event.id ?? '', data: event.data });
          if (!cut && event.data.includes('line 15')) {
            cut = true;
            await (signal === 'SIGKILL' ? controller.kill() : controller.terminate());
          }
        }
      } catch (error) {
        if (!cut) throw error;
      }
      await reboot();
      const stop = new AbortController();
      const resumed = api.sse(
        'GET',
        `/sessions/${id}/events`,
        undefined,
        { 'Last-Event-ID': seen[seen.length - 1]?.id ?? '' },
        stop.signal,
      );
      for await (const event of resumed) {
        if (event.event !== undefined) continue;
        seen.push({ id: event.id ?? '', data: event.data });
        if (event.data.includes('"turn.completed"')) break;
      }
      stop.abort();
      const streamed = seen.map(({ data }) => JSON.parse(data) as SessionLogEvent);
      expect(lines(streamed)).toEqual(EXPECTED);
      expect(seen.map((event) => Number(event.id))).toEqual(seen.map((_, index) => index + 1));
      expectWhole(await untilEnded(id));
      expect((await api.prompt(id, 'printed')).response).toBe('60');
    },
  );

  it('SIGKILL while a prompt waits in the queue: it runs afterwards', async () => {
    await boot();
    const id = await activeSession();
    await begin(id);
    await begin(id, '"second"');
    await controller.kill();
    await reboot();
    const log = await untilEnded(id, 2);
    expect(lines(log)).toEqual(EXPECTED);
    expect((await api.telemetry(id)).map(({ status }) => status)).toEqual(['complete', 'complete']);
  });

  it('SIGKILL, and the harness dies meanwhile: the turn is interrupted when the controller is back', async () => {
    await boot();
    const id = await activeSession();
    await begin(id);
    await untilLines(id, 5);
    await controller.kill();
    process.kill(harnessPid(id), 'SIGKILL');
    await reboot();
    const log = await untilEnded(id);
    expect(ends(log)[0]?.data).toMatchObject({ status: 'interrupted', stopReason: 'process_exited', synthetic: true });
  });
});

describe('the harness dies', () => {
  it('SIGKILL: the turn is interrupted within 2 s, the session says so, the next prompt gets a new harness', async () => {
    await boot();
    const id = await activeSession();
    await begin(id);
    await untilLines(id, 5);
    const killedAt = Date.now();
    process.kill(harnessPid(id), 'SIGKILL');
    const end = ends(await untilEnded(id))[0];
    expect(end?.data).toMatchObject({ status: 'interrupted', stopReason: 'process_exited', synthetic: true });
    expect(Date.parse(end?.at ?? '') - killedAt).toBeLessThan(2_000);
    const session = await api.until(id, 'suspended');
    expect(session.statusReason).toMatchObject({
      code: 'harness_exited',
      message: expect.stringContaining('SIGKILL') as unknown,
    });
    expect((await api.prompt(id, '20 + 1')).response).toBe('21');
    expect((await api.get(id)).status).toBe('active');
  });

  it('before it was ready: the session fails and says why', async () => {
    await boot({
      HARNESS_COMMAND: JSON.stringify([process.execPath, '-e', 'console.error("no licence found"); process.exit(3)']),
    });
    const { id } = await api.session(await api.worker());
    const failed = await api.until(id, 'failed');
    expect(failed.statusReason).toMatchObject({
      code: 'harness_exited',
      message: expect.stringMatching(/code 3.*no licence found/) as unknown,
    });
    expect(await api.call('POST', `/sessions/${id}/prompt`, { prompt: '1' })).toMatchObject({
      status: 409,
      body: { error: 'Session is not active', code: 'session_not_active' },
    });
    const [create] = await api.must<{ type: string; status: string }[]>('GET', `/sessions/${id}/operations`);
    expect(create).toMatchObject({ type: 'Create', status: 'Failed' });
    await api.must('DELETE', `/sessions/${id}`);
    await api.until(id, 'ended');
  });
});

describe('the network fails', () => {
  let proxy: FlakyProxy;
  const timing = { HEARTBEAT_MS: '500', LEASE_MS: '3000', LOST_AFTER_MS: '6000' };

  beforeEach(async () => {
    proxy = new FlakyProxy();
    await boot({ PUBLIC_URL: await proxy.listen(), ...timing });
    proxy.toward(controller.url);
  });
  afterEach(() => proxy.close());

  it('for a while: the harness reattaches and the turn finishes with every event once', async () => {
    const id = await activeSession();
    await begin(id);
    await untilLines(id, 5);
    for (let cuts = 0; cuts < 3; cuts++) {
      proxy.break();
      await systemClock.sleep(400);
      proxy.mend();
      await systemClock.sleep(600);
    }
    expectWhole(await untilEnded(id));
  });

  it('for good: the turn is interrupted after LOST_AFTER_MS', async () => {
    const id = await activeSession();
    await begin(id, COUNT.replace('50', '1000'));
    await untilLines(id, 2);
    proxy.break();
    expect(ends(await untilEnded(id))[0]?.data).toMatchObject({ status: 'interrupted', stopReason: 'harness_lost' });
  });
});

describe('the embedded database', () => {
  it('is killed mid-stream: it is restarted and nothing acknowledged is lost', async () => {
    await boot();
    const id = await activeSession();
    await begin(id);
    for (const count of [5, 15, 25]) {
      await untilLines(id, count);
      process.kill(databasePid(), 'SIGKILL');
    }
    expectWhole(await untilEnded(id));
    expect(controller.logs()).not.toContain('unhandled');
  });

  it('does not answer for 10 s mid-stream: /ready says so, the harness spools, it goes on without a restart', async () => {
    await boot({ DATABASE_TIMEOUT_MS: '1000' });
    const id = await activeSession();
    await begin(id);
    await untilLines(id, 5);
    const pid = databasePid();
    process.kill(pid, 'SIGSTOP');
    try {
      await eventually(async () => expect((await api.call('GET', '/ready')).status).toBe(503));
      expect((await api.call('GET', '/health')).status).toBe(200);
      await systemClock.sleep(10_000);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await eventually(async () => expect((await api.call('GET', '/ready')).status).toBe(200), 30_000);
    expectWhole(await untilEnded(id));
  });
});
