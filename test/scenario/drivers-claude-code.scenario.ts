import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClaudeCodeDriver } from '../../apps/harness/src/drivers/claude-code/claude-code.driver';
import { type Driver, type DriverOutcome } from '../../apps/harness/src/drivers/driver.port';
import { type ModelServer, startModelServer } from '../../scripts/model-server';
import { AGENT_CLI_INSTALL_MS, ensureAgentCli } from '../support/agent-clis';
import { RecordingSink, type TestContext, testContext } from '../support/driver-context';

jest.setTimeout(60_000);

describe('claude-code driver with the real CLI', () => {
  let claude: string;
  let server: ModelServer;
  let test: TestContext;
  let drivers: Driver[];

  beforeAll(async () => {
    claude = await ensureAgentCli('claude-code');
    server = await startModelServer();
  }, AGENT_CLI_INSTALL_MS);
  afterAll(() => server.close());

  beforeEach(async () => {
    drivers = [];
    test = await testContext();
    test.context.env = {
      ...test.context.env,
      CLAUDE_PATH: claude,
      CLAUDE_MODEL: 'claude-sonnet-4-5',
      ANTHROPIC_BASE_URL: server.url,
      ANTHROPIC_API_KEY: 'sk-local-test-key',
    };
  });
  afterEach(async () => {
    await Promise.all(drivers.map((driver) => driver.stop()));
    await test.remove();
  });

  async function open(resumeId?: string): Promise<Driver> {
    const driver = createClaudeCodeDriver({ ...test.context, resumeId });
    drivers.push(driver);
    await driver.start();
    return driver;
  }

  const run = (driver: Driver, prompt: string, sink = new RecordingSink(), signal = never()): Promise<DriverOutcome> =>
    driver.prompt({ turnId: 'turn', prompt }, sink, signal);

  it('streams deltas, a tool call that really writes a file, its result, and the usage', async () => {
    const driver = await open();
    const sink = new RecordingSink();
    const command = 'echo from-the-tool > made.txt && cat made.txt';
    const prompt = `[[thinking:let me see]] [[tool:${command}]] [[text:all of it is done]] [[usage:100,20]]`;
    const outcome = await run(driver, prompt, sink);

    expect(outcome).toMatchObject({ status: 'complete', stopReason: 'end_turn' });
    expect(await readFile(join(test.context.workspace, 'made.txt'), 'utf8')).toBe('from-the-tool\n');
    expect(sink.of('thinking').map((data) => data.text)).toEqual(['let ', 'me ', 'see']);
    const [call] = sink.of('tool_call');
    expect(sink.of('tool_call')).toEqual([
      { id: expect.any(String) as unknown, name: 'Bash', input: expect.objectContaining({ command }) as unknown },
    ]);
    expect(sink.of('tool_result')).toEqual([{ id: call?.id, output: 'from-the-tool', isError: false }]);
    expect(sink.of('text').map((data) => data.text)).toEqual(['all ', 'of ', 'it ', 'is ', 'done']);
    expect(outcome.usage).toMatchObject({ tokensIn: 200, tokensOut: 40, model: 'claude-sonnet-4-5' });
    expect(sink.of('usage')).toEqual([outcome.usage]);
    expect(outcome.raw?.format).toBe('stream-json');
    const types = (outcome.raw?.content ?? '').split('\n').map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types.at(-1)).toBe('result');
  });

  it('answers a second prompt in the same process, which remembers the first; its cost is its own', async () => {
    const driver = await open();
    const first = await run(driver, 'the secret word is heron [[text:noted]]');
    const { pid } = driver;
    const sink = new RecordingSink();
    const second = await run(driver, '[[recall]]', sink);
    expect(driver.pid).toBe(pid);
    expect(sink.text).toContain('the secret word is heron');
    expect(first.usage?.costUsd).toBeGreaterThan(0);
    expect(second.usage?.costUsd).toBeCloseTo(first.usage?.costUsd ?? 0, 8);
  });

  it('carries the conversation on in a new process', async () => {
    const driver = await open();
    const first = await run(driver, 'the secret word is otter [[text:noted]]');
    const { conversationId } = driver;
    await driver.stop();
    const next = await open(conversationId);
    const sink = new RecordingSink();
    const outcome = await run(next, '[[recall]]', sink);
    expect(sink.text).toContain('the secret word is otter');
    expect(next.conversationId).toBe(conversationId);
    expect(outcome.usage?.costUsd).toBeCloseTo(first.usage?.costUsd ?? 0, 8);
    expect(sink.of('log')).toEqual([]);
  });

  it('starts a new conversation, and says so, when the one to carry on is gone', async () => {
    const driver = await open('11111111-1111-4111-8111-111111111111');
    const sink = new RecordingSink();
    expect(await run(driver, '[[text:hello]]', sink)).toMatchObject({ status: 'complete' });
    expect(sink.of('log')).toEqual([{ level: 'warn', message: containing('new one') }]);
    expect(sink.text).toBe('hello');
    expect(driver.conversationId).not.toBe('11111111-1111-4111-8111-111111111111');
  });

  it('stops streaming when interrupted, keeps the process and the conversation', async () => {
    const driver = await open();
    const sink = new RecordingSink();
    const abort = new AbortController();
    const running = run(driver, 'count [[deltas:500]] [[slow:50]]', sink, abort.signal);
    await sink.until('text', 3);
    const { pid } = driver;
    abort.abort();
    expect(await running).toMatchObject({ status: 'cancelled', stopReason: 'aborted' });
    expect(sink.of('text').length).toBeLessThan(200);
    const after = new RecordingSink();
    expect(await run(driver, '[[recall]]', after)).toMatchObject({ status: 'complete' });
    expect(driver.pid).toBe(pid);
    expect(after.text).toContain('count');
  });

  it('is interrupted also before the CLI has taken up the prompt, and inside a tool', async () => {
    const driver = await open();
    const early = new AbortController();
    const first = run(driver, '[[deltas:500]] [[slow:50]]', new RecordingSink(), early.signal);
    early.abort();
    expect(await first).toMatchObject({ status: 'cancelled' });

    const abort = new AbortController();
    const sink = new RecordingSink();
    const second = run(driver, '[[tool:echo $$ > tool.pid; exec tail -f /dev/null]]', sink, abort.signal);
    await sink.until('tool_call');
    const tool = await toolPid();
    abort.abort();
    expect(await second).toMatchObject({ status: 'cancelled' });
    await gone(tool);
  });

  it('fails the turn when the process dies, ends what its tools started, and resumes with the next prompt', async () => {
    const driver = await open();
    await run(driver, 'the secret word is egret [[text:noted]]');
    const { pid } = driver;
    const sink = new RecordingSink();
    const running = run(driver, '[[tool:echo $$ > tool.pid; exec tail -f /dev/null]]', sink);
    await sink.until('tool_call');
    const tool = await toolPid();
    process.kill(pid ?? 0, 'SIGKILL');

    expect(await running).toMatchObject({ status: 'failed', stopReason: 'process_exited' });
    expect(driver.pid).toBeUndefined();
    await gone(tool);
    const after = new RecordingSink();
    expect(await run(driver, '[[recall]]', after)).toMatchObject({ status: 'complete' });
    expect(driver.pid).not.toBe(pid);
    expect(after.text).toContain('egret');
  });

  it('kill ends a turn that hangs', async () => {
    const driver = await open();
    const sink = new RecordingSink();
    const running = run(driver, '[[text:start]] [[hang]]', sink);
    await sink.until('text');
    await driver.kill();
    expect(await running).toMatchObject({ status: 'failed', stopReason: 'process_exited' });
  });

  it('reports a failure of the model service with its message, and not as text', async () => {
    const driver = await open();
    const sink = new RecordingSink();
    expect(await run(driver, '[[fail:400]]', sink)).toMatchObject({
      status: 'failed',
      stopReason: 'agent_error',
      error: { message: containing('400') },
    });
    expect(sink.text).toBe('');
    expect(await run(driver, '[[text:fine again]]')).toMatchObject({ status: 'complete' });
  });

  it('says that it repeats a request the model service refused for now', async () => {
    const driver = await open();
    const sink = new RecordingSink();
    const abort = new AbortController();
    const running = run(driver, '[[fail:529]]', sink, abort.signal);
    await sink.until('log');
    abort.abort();
    expect(await running).toMatchObject({ status: 'cancelled' });
    expect(sink.of('log')[0]).toMatchObject({ level: 'warn', message: containing('529') });
  });

  it('stops at the limit of turns', async () => {
    test.context.settings = { maxTurns: 1 };
    const driver = await open();
    const outcome = await run(driver, '[[tool:echo 1]] [[tool:echo 2]]');
    expect(outcome).toMatchObject({ status: 'complete', stopReason: 'max_turns' });
  });

  it('says what is wrong when there is no CLI', async () => {
    test.context.env = { ...test.context.env, CLAUDE_PATH: '/nowhere/claude' };
    const driver = await open();
    const outcome = await run(driver, 'hello');
    expect(outcome).toMatchObject({ status: 'failed', stopReason: 'start_failed' });
    expect(outcome.error?.message).toContain('CLAUDE_PATH');
  });

  async function toolPid(): Promise<number> {
    for (;;) {
      const text = await readFile(join(test.context.workspace, 'tool.pid'), 'utf8').catch(() => '');
      if (text.endsWith('\n')) return Number(text);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
});

const containing = (text: string): unknown => expect.stringContaining(text);
const never = (): AbortSignal => new AbortController().signal;

async function gone(pid: number): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 50) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`process ${pid} is still there`);
}
