import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SessionLogEvent } from '@reins/shared/link/events';
import { systemClock } from '@reins/shared/util';
import { type ModelServer, startModelServer } from '../../scripts/model-server';
import { AGENT_CLI_INSTALL_MS, ensureAgentCli } from '../support/agent-clis';
import { ApiClient, eventually } from '../support/api-client';
import { FlakyProxy } from '../support/flaky-proxy';
import { type BuiltController, harnessPid, startBuiltController } from '../support/processes';

jest.setTimeout(120_000);

const LINES = 40;
/** Prints numbered lines for about two seconds. */
const COUNT = `for (let i = 0; i < ${LINES}; i++) { console.log('line ' + i); await new Promise((go) => setTimeout(go, 50)); }`;
const EXPECTED = Array.from({ length: LINES }, (_, i) => `line ${i}`);
const HANG = `console.log('line 0'); await new Promise((go) => setTimeout(go, 100_000));`;
const limits = { wallMs: 120_000, cpuMs: 60_000 };
const PASSED =
  'PATH,HOME,CLAUDE_PATH,ANTHROPIC_BASE_URL,ANTHROPIC_API_KEY,REINS_SPOT_NOTICE_FILE,REINS_SPOT_NOTICE_POLL_MS';

let controller: BuiltController;
let api: ApiClient;
let proxy: FlakyProxy;
let model: ModelServer;
let outside: string;
let notice: string;

beforeAll(async () => {
  outside = mkdtempSync(join(tmpdir(), 'reins-drain-'));
  notice = join(outside, 'notice');
  model = await startModelServer();
  proxy = new FlakyProxy();
  controller = await startBuiltController({
    env: {
      PUBLIC_URL: await proxy.listen(),
      HARNESS_ENV: PASSED,
      // Missing at first, as on a fresh volume.
      HOME: join(outside, 'home/of/agent'),
      CLAUDE_PATH: await ensureAgentCli('claude-code'),
      ANTHROPIC_BASE_URL: model.url,
      ANTHROPIC_API_KEY: 'local-model-server',
      REINS_SPOT_NOTICE_FILE: notice,
      REINS_SPOT_NOTICE_POLL_MS: '200',
    },
  });
  proxy.toward(controller.url);
  api = new ApiClient(controller.url);
}, AGENT_CLI_INSTALL_MS + 60_000);

afterAll(async () => {
  await controller?.stop();
  proxy?.close();
  await model?.close();
  rmSync(outside, { recursive: true, force: true });
}, 60_000);

async function activeSession(more: object = {}, cliType?: string): Promise<string> {
  const { id } = await api.session(await api.worker(cliType), { settings: { limits, ...more } });
  await api.until(id, 'active', 60_000);
  return id;
}

/** A prompt whose caller hangs up, so that the test is free to look at the log instead. */
async function begin(sessionId: string, prompt: string): Promise<void> {
  const hangUp = new AbortController();
  for await (const _ of api.sse('POST', `/sessions/${sessionId}/stream`, { prompt }, {}, hangUp.signal)) break;
  hangUp.abort();
  await eventually(async () => expect(lines(await api.log(sessionId)).length).toBeGreaterThan(0), 30_000);
}

function terminate(sessionId: string): number {
  const pid = harnessPid(controller.dataDir, sessionId);
  if (pid === undefined) throw new Error('there is no harness');
  process.kill(pid, 'SIGTERM');
  return pid;
}

/** Not at once: of two signals of a kind that wait, the system delivers one. */
async function terminateTwice(sessionId: string): Promise<number> {
  terminate(sessionId);
  await systemClock.sleep(300);
  return terminate(sessionId);
}

const of = (log: readonly SessionLogEvent[], type: string): SessionLogEvent[] => log.filter((e) => e.type === type);
const lines = (log: readonly SessionLogEvent[]): unknown[] => of(log, 'console').map(({ data }) => data['text']);
const gone = (pid: number): Promise<void> =>
  eventually(async () => expect(existsSync(`/proc/${pid}`)).toBe(false), 30_000);

async function untilEnded(sessionId: string, turns: number): Promise<SessionLogEvent[]> {
  return eventually(async () => {
    const log = await api.log(sessionId);
    expect(of(log, 'turn.completed')).toHaveLength(turns);
    return log;
  }, 60_000);
}

describe('a harness that is asked to leave', () => {
  it('finishes its turn; the session is suspended with the reason, and what waits gets a new harness', async () => {
    const id = await activeSession();
    await begin(id, COUNT);
    const waiting = api.prompt(id, 'console.log("next")');
    const first = terminate(id);
    await waiting;
    await gone(first);
    const log = await untilEnded(id, 2);
    expect(of(log, 'turn.completed').map(({ data }) => data['status'])).toEqual(['complete', 'complete']);
    expect(lines(log)).toEqual([...EXPECTED, 'next']);
    const suspended = of(log, 'session.state').find(({ data }) => data['state'] === 'suspended');
    expect(suspended?.data['reason']).toMatchObject({
      code: 'harness_drained',
      message: expect.stringMatching(/SIGTERM/) as unknown,
    });
    expect(harnessPid(controller.dataDir, id)).not.toBe(first);
  });

  it('while it has nothing to do: suspended for that reason until the next prompt', async () => {
    const id = await activeSession();
    await gone(terminate(id));
    expect((await api.until(id, 'suspended')).statusReason).toMatchObject({ code: 'harness_drained' });
    await api.prompt(id, 'console.log(1)');
    expect(await api.get(id)).toMatchObject({ status: 'active', statusReason: null });
  });

  it('twice: the turn is interrupted at once, and ends once', async () => {
    const id = await activeSession();
    await begin(id, HANG);
    const asked = Date.now();
    await gone(await terminateTwice(id));
    // It would have had 8 s after the first.
    expect(Date.now() - asked).toBeLessThan(7_500);
    expect((await api.until(id, 'suspended')).statusReason?.code).toBe('harness_drained');
    const log = await untilEnded(id, 1);
    expect(of(log, 'turn.completed')[0]?.data).toMatchObject({ status: 'interrupted', stopReason: 'harness_stopped' });
  });

  it('an interrupted turn is tried again by its policy, in a new harness, and ends once', async () => {
    const id = await activeSession({ onInterrupt: 'restart' });
    await begin(id, COUNT);
    await terminateTwice(id);
    const log = await untilEnded(id, 1);
    expect(of(log, 'turn.completed')[0]?.data).toMatchObject({ status: 'complete' });
    expect(of(log, 'turn.started').map(({ data }) => data['attempt'])).toEqual([1, 2]);
    expect(lines(log).slice(-LINES)).toEqual(EXPECTED);
  });

  it('because its machine goes: the reason says so', async () => {
    const id = await activeSession();
    writeFileSync(notice, 'TRUE');
    try {
      const { statusReason } = await api.until(id, 'suspended');
      expect(statusReason).toMatchObject({
        code: 'harness_drained',
        message: expect.stringMatching(/spot_notice/) as unknown,
      });
    } finally {
      rmSync(notice);
    }
    await api.prompt(id, 'console.log(1)');
  });

  it('often is no crash: the queue still gets a harness', async () => {
    const id = await activeSession();
    for (let i = 0; i < 4; i++) {
      await gone(terminate(id));
      await api.until(id, 'suspended');
      await api.prompt(id, 'console.log(1)');
    }
    await begin(id, COUNT);
    const waiting = api.prompt(id, 'console.log("next")');
    await gone(terminate(id));
    await waiting;
  });

  it('without a connection: nothing comes twice, one end, and what could not be sent is declared', async () => {
    const id = await activeSession();
    await begin(id, COUNT);
    proxy.break();
    const first = terminate(id);
    const spool = join(controller.dataDir, 'sessions', id, 'state/sessions', id, 'spool');
    await gone(first);
    const kept = readdirSync(spool).flatMap((name) => readdirSync(join(spool, name)));
    expect(kept.length).toBeGreaterThan(0);
    proxy.mend();
    await api.prompt(id, 'console.log("next")');
    const log = await untilEnded(id, 2);
    const printed = lines(log);
    expect(printed).toEqual([...EXPECTED.slice(0, printed.length - 1), 'next']);
    const declared = of(log, 'log').map(({ data }) => String(data['message']));
    expect(declared).toContainEqual(
      expect.stringMatching(/^\d+ events of an earlier process of the harness could not/),
    );
    expect(readdirSync(spool)).toHaveLength(1);
  });
});

describe('the next harness on the same folders', () => {
  it('carries the conversation of the real Claude Code on, with its files', async () => {
    const id = await activeSession({}, 'claude-code');
    await api.prompt(id, 'The code word is heron. [[tool:echo kept > kept.txt]] [[text:noted]]');
    await gone(terminate(id));
    expect((await api.until(id, 'suspended')).statusReason?.code).toBe('harness_drained');
    expect(existsSync(join(outside, 'home/of/agent'))).toBe(true);
    expect((await api.prompt(id, '[[recall]]')).response).toContain('heron');
    expect(readFileSync(join(controller.dataDir, 'sessions', id, 'workspace/kept.txt'), 'utf8')).toBe('kept\n');
  });
});
