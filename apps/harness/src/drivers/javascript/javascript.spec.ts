import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RecordingSink, type TestContext, testContext } from '../../../../../test/support/driver-context';
import { type Driver, type DriverOutcome } from '../driver.port';
import { createJavascriptDriver } from './javascript.driver';

jest.setTimeout(60_000);

const never = (): AbortSignal => new AbortController().signal;

describe('javascript driver', () => {
  let test: TestContext;
  let driver: Driver;
  beforeEach(async () => {
    test = await testContext();
    driver = createJavascriptDriver(test.context);
    await driver.start();
  });
  afterEach(async () => {
    await driver.stop();
    await test.remove();
  });

  async function run(prompt: string, signal = never()): Promise<DriverOutcome & { sink: RecordingSink }> {
    const sink = new RecordingSink();
    return { ...(await driver.prompt({ turnId: 't', prompt }, sink, signal)), sink };
  }
  const value = async (prompt: string): Promise<unknown> => (await run(prompt)).sink.of('value')[0];
  const limits = (own: Partial<typeof test.context.session.limits>): void => {
    test.context.session = { ...test.context.session, limits: { ...test.context.session.limits, ...own } };
  };
  const inOrder = { status: 'complete', stopReason: 'end_turn' };

  it.each([
    ['1 + 1', { text: '2', type: 'number', json: 2 }],
    ['"a\\nb"', { text: 'a\nb', type: 'string', json: 'a\nb' }],
    ['{a: 1}', { text: '{ a: 1 }', type: 'object', json: { a: 1 } }],
    ['[1, [2]]', { text: '[ 1, [ 2 ] ]', type: 'array', json: [1, [2]] }],
    ['await Promise.resolve(7)', { text: '7', type: 'number', json: 7 }],
    ['12n', { text: '12n', type: 'bigint' }],
    ['-0', { text: '-0', type: 'number', json: 0 }],
    ['Symbol("s")', { text: 'Symbol(s)', type: 'symbol' }],
    ['null', { text: 'null', type: 'null', json: null }],
    ['undefined', { text: '', type: 'undefined' }],
    ['const o = {}; o.self = o; o', { text: '<ref *1> { self: [Circular *1] }', type: 'object' }],
    ['({ get x() { throw new Error("no") } })', { text: '{ x: [Getter] }', type: 'object' }],
    [
      '({ [Symbol.for("nodejs.util.inspect.custom")]() { throw new Error("no") } })',
      { text: '[cannot be inspected: no]', type: 'object', json: {} },
    ],
    ['(await import("node:path")).sep', { text: '/', type: 'string', json: '/' }],
  ])('evaluates %s', async (source, expected) => {
    expect(await value(source)).toEqual(expected);
  });

  it('keeps what was declared, lets it be declared again, and survives exceptions', async () => {
    await run('let a = 1; const b = 2; class C { x() { return a + b } }');
    const failed = await run('let a = 10; undefinedFunction()');
    expect(failed).toMatchObject({ status: 'failed', stopReason: 'exception' });
    expect(failed.sink.of('exception')).toMatchObject([{ name: 'ReferenceError' }]);
    expect(await value('const b = 5; new C().x()')).toMatchObject({ json: 15 });
  });

  it('prints in order, with levels, while it runs', async () => {
    const sink = new RecordingSink();
    const source =
      'console.log("a", {b: 1}); console.warn("c"); console.error("d"); console.info("e"); console.debug("f"); await new Promise(r => setTimeout(r, 1000)); console.log("late")';
    let over = false;
    const running = driver.prompt({ turnId: 't', prompt: source }, sink, never()).then((outcome) => {
      over = true;
      return outcome;
    });
    await sink.until('console', 5);
    expect(over).toBe(false);
    expect(await running).toMatchObject(inOrder);
    expect(sink.of('console').map((line) => `${line.level} ${line.text}`)).toEqual([
      'log a { b: 1 }',
      'warn c',
      'error d',
      'info e',
      'debug f',
      'log late',
    ]);
  });

  it('waits for the timers of the code', async () => {
    const { sink, ...outcome } = await run('setTimeout(() => console.log("later"), 50); "now"');
    expect(outcome).toMatchObject(inOrder);
    expect(sink.of('console')).toEqual([{ level: 'log', text: 'later' }]);
    expect(sink.of('value')).toMatchObject([{ text: 'now' }]);
  });

  it.each([
    ['a syntax error', 'let let = 1 +', 'SyntaxError'],
    ['a thrown error', 'throw new TypeError("bad")', 'TypeError'],
    ['a thrown string', 'throw "plain"', 'Error'],
    ['an unhandled rejection', 'Promise.reject(new RangeError("late")); 1', 'RangeError'],
    ['an error in a timer', 'setTimeout(() => { throw new URIError("t") }, 5)', 'URIError'],
  ])('fails on %s', async (_, source, name) => {
    const outcome = await run(source);
    expect(outcome).toMatchObject({ status: 'failed', stopReason: 'exception' });
    expect(outcome.sink.of('exception')).toMatchObject([{ name }]);
    expect(await value('6 * 7')).toMatchObject({ json: 42 });
  });

  it.each([
    ['a loop', 'while (true) {}', 'cpu_limit'],
    ['a loop of promises', 'function f() { return Promise.resolve().then(f) } await f()', 'cpu_limit'],
    ['waiting forever', 'await new Promise(() => {})', 'wall_limit'],
    ['an interval', 'setInterval(() => {}, 50); 1', 'wall_limit'],
  ])('ends %s at its limit and keeps the context', async (_, source, reason) => {
    limits({ cpuMs: 300, wallMs: 1_000 });
    await run('globalThis.kept = "kept"');
    const { pid } = driver;
    expect(await run(source)).toMatchObject({ status: 'failed', stopReason: reason });
    expect(await value('kept')).toMatchObject({ json: 'kept' });
    expect(driver.pid).toBe(pid);
  });

  it.each([
    ['a loop in a timer', 'setTimeout(() => { for (;;) {} }, 1); await new Promise(() => {})', 'cpu_limit'],
    ['a sleep that V8 cannot end', 'require("node:child_process").execSync("sleep 60")', 'wall_limit'],
    ['too much heap', 'const all = []; for (;;) all.push(new Array(1000).fill(Math.random()))', 'memory_limit'],
    [
      'too much outside the heap',
      'const all = []; for (;;) { all.push(Buffer.alloc(1e7, 1)); await null }',
      'memory_limit',
    ],
    ['process.exit', 'process.exit(3)', 'process_exited'],
    ['killing itself', 'process.kill(process.pid)', 'process_exited'],
  ])('ends %s by its process, and starts anew with a warning', async (_, source, reason) => {
    limits({ cpuMs: 10_000, wallMs: 1_500, memoryBytes: 64 * 1024 * 1024 });
    if (reason === 'cpu_limit') limits({ cpuMs: 300 });
    if (reason === 'memory_limit') limits({ wallMs: 30_000 });
    await run('globalThis.lost = 1');
    const outcome = await run(source);
    expect(outcome).toMatchObject({ status: 'failed', stopReason: reason });
    const after = await run('typeof lost');
    expect(after).toMatchObject(inOrder);
    if (reason === 'cpu_limit' && after.sink.of('value')[0]?.text === 'number') return;
    expect(after.sink.of('log')).toMatchObject([{ level: 'warn' }]);
    expect(after.sink.of('value')).toMatchObject([{ text: 'undefined' }]);
  });

  it('cuts a huge text and says so', async () => {
    const printed = await run('const s = "x".repeat(1e8); console.log(s); s.length');
    const returned = await run('s.slice(0, 2e6)');
    expect([printed.stopReason, returned.stopReason]).toEqual(['end_turn', 'end_turn']);
    for (const shown of [printed.sink.of('console')[0], returned.sink.of('value')[0]]) {
      expect(shown?.text.length).toBeLessThan(1.1e6);
      expect(shown?.text).toContain('more characters');
    }
  });

  it('prints 100,000 lines without loss, at the pace of the reader', async () => {
    limits({ cpuMs: 20_000, wallMs: 2_000 });
    let lines = 0;
    const slow = {
      emit: async (type: string): Promise<void> => {
        if (type === 'console' && ++lines % 10_000 === 0) await new Promise((resolve) => setTimeout(resolve, 300));
      },
    };
    const prompt = 'for (let i = 0; i < 100000; i++) console.log("line", i)';
    expect(await driver.prompt({ turnId: 't', prompt }, slow, never())).toMatchObject(inOrder);
    expect(lines).toBe(100_000);
  });

  it('is aborted inside a loop and while waiting, and keeps the context', async () => {
    limits({ cpuMs: 30_000, wallMs: 30_000 });
    await run('globalThis.kept = 1');
    for (const prompt of ['console.log("in"); for (;;) {}', 'console.log("in"); await new Promise(() => {})']) {
      const abort = new AbortController();
      const sink = new RecordingSink();
      const running = driver.prompt({ turnId: 't', prompt }, sink, abort.signal);
      await sink.until('console');
      abort.abort();
      expect(await running).toMatchObject({ status: 'cancelled', stopReason: 'aborted' });
    }
    expect(await value('kept')).toMatchObject({ json: 1 });
  });

  it('fails the turn when it is killed', async () => {
    const sink = new RecordingSink();
    const running = driver.prompt(
      { turnId: 't', prompt: 'console.log("in"); await new Promise(() => {})' },
      sink,
      never(),
    );
    await sink.until('console');
    await driver.kill();
    expect(await running).toMatchObject({ status: 'failed', stopReason: 'process_exited' });
  });

  it('runs in the workspace, with modules of the workspace and only the chosen environment', async () => {
    await writeFile(join(test.context.workspace, 'lib.js'), 'module.exports = { five: 5 };');
    await writeFile(join(test.context.workspace, 'lib.mjs'), 'export const six = 6;');
    expect(await value('process.cwd()')).toMatchObject({ text: test.context.workspace });
    expect(await value('require("./lib.js").five')).toMatchObject({ json: 5 });
    expect(await value('(await import("./lib.mjs")).six')).toMatchObject({ json: 6 });
    expect(await value('Object.keys(process.env).sort().join()')).toMatchObject({ text: 'HOME,PATH,TMPDIR' });
  });

  it('passes on what is written to stdout and stderr', async () => {
    const sink = new RecordingSink();
    const prompt =
      'process.stdout.write("out"); process.stderr.write("err"); await new Promise(r => setTimeout(r, 200))';
    await driver.prompt({ turnId: 't', prompt }, sink, never());
    expect([sink.of('stdout'), sink.of('stderr')]).toEqual([[{ text: 'out' }], [{ text: 'err' }]]);
  });
});
