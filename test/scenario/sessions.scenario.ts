import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ApiClient, eventually } from '../support/api-client';
import { type BuiltController, harnessPid, startBuiltController } from '../support/processes';

let controller: BuiltController;
let api: ApiClient;
let workerId: string;

beforeAll(async () => {
  controller = await startBuiltController();
  api = new ApiClient(controller.url);
  workerId = await api.worker();
}, 60_000);
afterAll(() => controller?.stop(), 120_000);

jest.setTimeout(240_000);

const patient = { settings: { limits: { wallMs: 120_000, cpuMs: 60_000 } } };
const nap = (ms: number, value: string): string =>
  `await new Promise((go) => setTimeout(go, ${ms})); ${JSON.stringify(value)}`;

async function activeSession(): Promise<string> {
  const { id } = await api.session(workerId, patient);
  await api.until(id, 'active', 120_000);
  return id;
}

describe('prompts', () => {
  it('two at once on one lane queue; on two sub-sessions they run in parallel', async () => {
    const id = await activeSession();
    await Promise.all([api.prompt(id, nap(400, 'a')), api.prompt(id, nap(400, 'b'))]);
    await Promise.all([
      api.prompt(id, nap(1500, 'c'), { subsessionId: 'left' }),
      api.prompt(id, nap(1500, 'd'), { subsessionId: 'right' }),
    ]);
    const [d, c, b, a] = (await api.telemetry(id)).sort((x, y) => y.createdAt.localeCompare(x.createdAt));
    const started = (turn: typeof a): string => turn?.startedAt ?? '';
    const completed = (turn: typeof a): string => turn?.completedAt ?? '';
    expect(started(b) >= completed(a)).toBe(true);
    expect(started(d) < completed(c) && started(c) < completed(d)).toBe(true);
  });

  it('to a session that is not ready yet wait for it', async () => {
    const { id, status } = await api.session(workerId, patient);
    expect(status).toBe('pending');
    expect((await api.prompt(id, '"early bird"')).response).toBe('early bird');
  });

  it('go on when their caller hangs up', async () => {
    const id = await activeSession();
    const hangUp = AbortSignal.timeout(300);
    const call = fetch(`${api.url}/sessions/${id}/prompt`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ prompt: nap(1000, 'alone') }),
      signal: hangUp,
    });
    await expect(call).rejects.toThrow();
    await eventually(async () =>
      expect((await api.telemetry(id))[0]).toMatchObject({ status: 'complete', response: 'alone' }),
    );
  });

  it('an exception ends the turn failed, and the session lives', async () => {
    const id = await activeSession();
    expect(await api.call('POST', `/sessions/${id}/prompt`, { prompt: 'null.x' })).toMatchObject({
      status: 422,
      body: { code: 'turn_failed', details: { stopReason: 'exception' } },
    });
    expect((await api.prompt(id, '1 + 1')).response).toBe('2');
  });

  it('of more than 64 KiB reach the agent, and answers of more than 64 KiB the caller', async () => {
    const id = await activeSession();
    const text = 'x'.repeat(200_000);
    const answer = await api.prompt(id, `const text = ${JSON.stringify(text)}; console.log(text); text.length`);
    expect(answer.response).toBe(`${text}\n200000`);
  });

  it('can use what Node offers: require, import and the workspace', async () => {
    const id = await activeSession();
    const prompt =
      "require('fs').writeFileSync('note.txt', 'kept'); const { basename } = await import('node:path'); basename(process.cwd())";
    const answer = await api.prompt(id, prompt);
    expect(answer.response).toBe('workspace');
    expect(answer.artifacts).toEqual(['note.txt']);
  });

  it('abort ends a busy loop and keeps the session', async () => {
    const id = await activeSession();
    const answer = api.call('POST', `/sessions/${id}/prompt`, { prompt: 'console.log("spinning"); while (true) {}' });
    await eventually(async () => expect((await api.log(id)).some(({ type }) => type === 'console')).toBe(true));
    await api.must('POST', `/sessions/${id}/abort`, {});
    expect(await answer).toMatchObject({ status: 409, body: { code: 'turn_cancelled' } });
    expect((await api.prompt(id, '"free"')).response).toBe('free');
  });
});

describe('a session', () => {
  it('is suspended when idle and resumed by the next prompt, its workspace kept', async () => {
    const idle = await startBuiltController({ env: { SESSION_IDLE_SECONDS: '2' } });
    try {
      const client = new ApiClient(idle.url);
      const { id } = await client.session(await client.worker());
      await client.prompt(id, "require('fs').writeFileSync('kept.txt', 'yes')");
      const suspended = await client.until(id, 'suspended');
      expect(suspended.statusReason).toMatchObject({ code: 'idle' });
      await eventually(async () => expect(harnessPid(idle.dataDir, id)).toBeUndefined());
      expect((await client.prompt(id, "require('fs').readFileSync('kept.txt', 'utf8')")).response).toBe('yes');
    } finally {
      await idle.stop();
    }
  });

  it('ends: its harness goes, prompts are refused, telemetry and log stay, ending again is fine', async () => {
    const id = await activeSession();
    await api.prompt(id, '7');
    const running = api.call('POST', `/sessions/${id}/prompt`, { prompt: nap(60_000, 'never') });
    await eventually(async () => expect((await api.telemetry(id))[0]?.status).toBe('running'));
    expect((await api.call('DELETE', `/sessions/${id}`)).status).toBe(204);
    expect(await running).toMatchObject({ status: 409, body: { code: 'turn_cancelled' } });
    await api.until(id, 'ended');
    await eventually(async () => expect(harnessPid(controller.dataDir, id)).toBeUndefined());
    expect((await api.call('DELETE', `/sessions/${id}`)).status).toBe(204);
    expect(await api.call('POST', `/sessions/${id}/prompt`, { prompt: '1' })).toMatchObject({
      status: 409,
      body: { error: 'Session is not active' },
    });
    expect(await api.telemetry(id)).toHaveLength(2);
    const [end] = await api.must<{ type: string; status: string; actor: string }[]>(
      'GET',
      `/sessions/${id}/operations`,
    );
    expect(end).toMatchObject({ type: 'End', status: 'Success', actor: 'user:dev' });
  });
});

describe('fifty sessions on one machine', () => {
  it('stream at once without loss', async () => {
    const COUNT = 50;
    const LINES = 200;
    const made = await Promise.all(Array.from({ length: COUNT }, () => api.session(workerId, patient)));
    await Promise.all(made.map(({ id }) => api.until(id, 'active', 200_000)));

    const sizes = made.flatMap(({ id }) => residentBytes(harnessPid(controller.dataDir, id)));
    const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
    console.log(
      `${sizes.length} harnesses: ${mebibytes(total / sizes.length)} MiB each, ${mebibytes(total)} MiB in all; controller ${mebibytes(residentBytes(controller.pid)[0] ?? 0)} MiB`,
    );

    await Promise.all(
      made.map(async ({ id }, index) => {
        const prompt = `for (let i = 0; i < ${LINES}; i++) { console.log('${index}:' + i); if (i % 10 === 0) await new Promise((go) => setTimeout(go, 20)); }`;
        let streamed = '';
        let status = '';
        for await (const { data } of api.sse('POST', `/sessions/${id}/stream`, { prompt })) {
          const event = JSON.parse(data) as { type: string; data: unknown };
          if (event.type === 'text') streamed += String(event.data);
          status = event.type;
        }
        const expected = Array.from({ length: LINES }, (_, i) => `${index}:${i}\n`).join('');
        expect(status).toBe('complete');
        expect(sha256(streamed)).toBe(sha256(expected));
        const stored = (await api.log(id))
          .filter(({ type }) => type === 'console')
          .map(({ data }) => `${String(data['text'])}\n`);
        expect(stored).toHaveLength(LINES);
        expect(sha256(stored.join(''))).toBe(sha256(expected));
      }),
    );
    await Promise.all(made.map(({ id }) => api.must('DELETE', `/sessions/${id}`)));
    await Promise.all(made.map(({ id }) => api.until(id, 'ended', 120_000)));
  });
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);

/** Resident memory of a process; empty where the system does not say. */
function residentBytes(pid: number | undefined): number[] {
  if (pid === undefined || process.platform !== 'linux') return [];
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return kilobytes === undefined ? [] : [Number(kilobytes) * 1024];
}
