import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SessionStats } from '@reins/shared/api/sessions';
import { ApiClient, eventually } from '../support/api-client';
import { type BuiltController, harnessPid, startBuiltController } from '../support/processes';

/** Starting a controller, its database and a harness on a busy machine. */
jest.setTimeout(120_000);

const HARNESS = join(__dirname, '../../examples/harness-python/harness.py');
const NEEDED = 'import sys; sys.exit(0 if sys.version_info >= (3, 9) else 1)';
const hasPython = spawnSync('python3', ['-c', NEEDED]).status === 0;
if (!hasPython) process.stderr.write('SKIPPED foreign-harness: python3 (3.9 or newer) is not on the PATH\n');

interface StreamEvent {
  type: string;
  data: unknown;
}

(hasPython ? describe : describe.skip)('a harness in Python, written from docs/reference/protocol.md alone', () => {
  let controller: BuiltController;
  let api: ApiClient;
  let workerId: string;
  let sessionId: string;

  beforeAll(async () => {
    controller = await startBuiltController({ env: { HARNESS_COMMAND: JSON.stringify(['python3', HARNESS]) } });
    api = new ApiClient(controller.url);
    workerId = await api.worker('functions');
  });
  afterAll(() => controller?.stop());

  beforeEach(async () => {
    sessionId = (await api.session(workerId)).id;
    await api.until(sessionId, 'active');
  });
  afterEach(() => api.must('DELETE', `/sessions/${sessionId}`));

  async function* stream(prompt: string): AsyncGenerator<StreamEvent> {
    for await (const { data } of api.sse('POST', `/sessions/${sessionId}/stream`, { prompt })) {
      yield JSON.parse(data) as StreamEvent;
    }
  }

  async function all(prompt: string): Promise<StreamEvent[]> {
    const events: StreamEvent[] = [];
    for await (const event of stream(prompt)) events.push(event);
    return events;
  }

  /** Streams a prompt; resolves with its last event, after `once` was called at the first of the named type. */
  async function interrupted(prompt: string, type: string, once: () => Promise<unknown>): Promise<StreamEvent> {
    let last: StreamEvent | undefined;
    let acted = false;
    for await (const event of stream(prompt)) {
      if (event.type === type && !acted) {
        acted = true;
        await once();
      }
      last = event;
    }
    if (!acted || last === undefined) throw new Error(`no ${type} was streamed`);
    return last;
  }

  it('streams a turn word by word, and telemetry knows it', async () => {
    const events = await all('say these five words');
    expect(events.map(({ type }) => type)).toEqual(['start', 'text', 'text', 'text', 'text', 'complete']);
    expect(events.slice(1, -1).map(({ data }) => data)).toEqual(['say ', 'these ', 'five ', 'words']);
    expect(events.at(-1)?.data).toMatchObject({ response: 'say these five words', tokensIn: 4, tokensOut: 4 });

    expect(await api.telemetry(sessionId)).toEqual([
      expect.objectContaining({ status: 'complete', stopReason: 'end_turn', tokensIn: 4, tokensOut: 4 }),
    ]);
    const stats = await api.must<SessionStats>('GET', `/sessions/${sessionId}/stats`);
    expect(stats).toMatchObject({ totalRequests: 1, completedRequests: 1, failedRequests: 0 });
  });

  it('runs a command in the workspace and shows the call and its result', async () => {
    const events = await all('sh: echo from-python | tee made.txt');
    expect(events.map(({ type }) => type)).toEqual(['start', 'tool_call', 'tool_result', 'text', 'complete']);
    expect(events[1]?.data).toMatchObject({ name: 'shell', input: { command: 'echo from-python | tee made.txt' } });
    expect(events[2]?.data).toMatchObject({ output: 'from-python\n', isError: false });
    const made = join(controller.dataDir, 'sessions', sessionId, 'workspace', 'made.txt');
    expect(await readFile(made, 'utf8')).toBe('from-python\n');
  });

  it('stores a large result as a blob, whole', async () => {
    await all('sh: head -c 200000 /dev/zero | tr "\\0" x');
    const result = (await api.log(sessionId)).find(({ type }) => type === 'tool_result');
    const { blobId, sha256, sizeBytes } = result?.data as { blobId: string; sha256: string; sizeBytes: number };
    const blob = await fetch(`${controller.url}/sessions/${sessionId}/blobs/${blobId}`);
    const bytes = Buffer.from(await blob.arrayBuffer());
    expect(bytes.length).toBe(sizeBytes);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    expect((JSON.parse(bytes.toString()) as { output: string }).output).toBe('x'.repeat(200_000));
  });

  it('fetches a prompt that is too long for the socket', async () => {
    const prompt = `sh: : ${'y'.repeat(100_000)}; echo reached-the-end`;
    const answer = await api.prompt(sessionId, prompt);
    expect(answer.response).toBe('exit code 0');
    const result = (await api.log(sessionId)).find(({ type }) => type === 'tool_result');
    expect(result?.data['output']).toBe('reached-the-end\n');
  });

  it('ends a turn `cancelled` when it is aborted, with every process of the agent', async () => {
    const last = await interrupted('sh: echo $$ > pid; sleep 300 & sleep 300', 'tool_call', async () => {
      await eventually(async () => expect(Number(await readPid())).toBeGreaterThan(0));
      await api.must('POST', `/sessions/${sessionId}/abort`, {});
    });
    expect(last).toMatchObject({ type: 'error', data: { code: 'turn_cancelled' } });
    const group = Number(await readPid());
    await eventually(async () => expect(() => process.kill(-group, 0)).toThrow('ESRCH'));
    expect((await api.telemetry(sessionId))[0]).toMatchObject({ status: 'cancelled', stopReason: 'aborted' });
    expect(await api.prompt(sessionId, 'goes on')).toMatchObject({ response: 'goes on' });
  });

  it('ends a turn `interrupted` when the harness is killed, and the next prompt starts another one', async () => {
    const last = await interrupted('sh: exec sleep 300', 'tool_call', async () => {
      const pid = harnessPid(controller.dataDir, sessionId);
      if (pid === undefined) throw new Error('the harness is not running');
      process.kill(pid, 'SIGKILL');
    });
    expect(last).toMatchObject({ type: 'error', data: { code: 'turn_interrupted' } });
    const [turn] = await api.telemetry(sessionId);
    expect(turn).toMatchObject({ status: 'interrupted', stopReason: 'process_exited' });
    expect(turn?.error?.message).toContain('SIGKILL');
    expect(await api.get(sessionId)).toMatchObject({ statusReason: { code: 'harness_exited' } });
    expect(await api.prompt(sessionId, 'back again')).toMatchObject({ response: 'back again' });
  });

  it('gives its turn back on SIGTERM', async () => {
    const last = await interrupted('sh: exec sleep 300', 'tool_call', async () => {
      process.kill(harnessPid(controller.dataDir, sessionId) ?? 0, 'SIGTERM');
    });
    expect(last).toMatchObject({ type: 'error', data: { code: 'turn_interrupted' } });
    expect((await api.telemetry(sessionId))[0]).toMatchObject({ stopReason: 'harness_released' });
  });

  it('leaves with code 0 when the session ends', async () => {
    await api.must('DELETE', `/sessions/${sessionId}`);
    await api.until(sessionId, 'ended');
    const lost = (await api.log(sessionId)).find(({ type }) => type === 'harness.lost');
    expect(lost?.data).toMatchObject({ exitCode: 0, signal: null });
    const operations = await api.must<{ type: string; steps: { name: string; message: string }[] }[]>(
      'GET',
      `/sessions/${sessionId}/operations`,
    );
    const end = operations.find(({ type }) => type === 'End');
    expect(end?.steps).toContainEqual(expect.objectContaining({ name: 'commit', message: '{"committed":false}' }));
  });

  const readPid = (): Promise<string> =>
    readFile(join(controller.dataDir, 'sessions', sessionId, 'workspace', 'pid'), 'utf8');
});

(hasPython ? describe : describe.skip)('a harness in Python when its controller is killed', () => {
  it('goes on, and every word is in the log once', async () => {
    const env = { HARNESS_COMMAND: JSON.stringify(['python3', HARNESS]) };
    const first = await startBuiltController({ env });
    let second: BuiltController | undefined;
    try {
      const api = new ApiClient(first.url);
      const { id } = await api.session(await api.worker('functions'));
      await api.until(id, 'active');
      const words = Array.from({ length: 400 }, (_, index) => `w${index} `);
      for await (const { data } of api.sse('POST', `/sessions/${id}/stream`, { prompt: words.join('') })) {
        if ((JSON.parse(data) as StreamEvent).data === 'w50 ') break;
      }
      await first.kill();
      second = await startBuiltController({ env: { ...env, PORT: new URL(first.url).port }, dataDir: first.dataDir });
      const again = new ApiClient(second.url);
      await eventually(async () => expect((await again.telemetry(id))[0]?.status).toBe('complete'), 60_000);
      const log = await again.log(id);
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
      expect(log.filter(({ type }) => type === 'text').map(({ data }) => data['text'])).toEqual(words);
      expect(log.filter(({ type }) => type === 'turn.completed')).toHaveLength(1);
    } finally {
      await (second ?? first).stop();
    }
  });
});
