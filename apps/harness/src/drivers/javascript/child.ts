import { Session } from 'node:inspector';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { installImport } from './dynamic-import';
import { Evaluator } from './evaluator';
import { CHILD_ARGUMENT, type LimitReason, type ToMain, type ToWatchdog } from './messages';
import { createConsole, createSender, describeError, describeValue } from './output';
import { TrackedTimers } from './timers';

/** The main thread of the child: one global scope that lives from prompt to prompt. */
export function runChild(): void {
  const writing = new SharedArrayBuffer(4);
  const send = createSender(new Int32Array(writing));
  const watchdog = new Worker(process.argv[1] ?? '', {
    argv: [CHILD_ARGUMENT],
    workerData: writing,
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 },
  });
  const nextTurn = setImmediate;
  const timers = new TrackedTimers();
  timers.install();
  const session = new Session();
  session.connect();
  const evaluator = new Evaluator(session);
  let current: Turn | undefined;

  installImport(process.cwd());
  Object.assign(globalThis, { require: createRequire(join(process.cwd(), 'prompt.js')) });
  Object.defineProperty(globalThis, 'console', { value: createConsole(send), writable: true, configurable: true });

  const failure = (error: unknown): void => {
    if (current === undefined) return;
    current.failed = true;
    send(describeError(error));
  };
  process.on('uncaughtException', failure);
  process.on('unhandledRejection', failure);

  async function run(number: number, source: string): Promise<void> {
    let expire: (reason: LimitReason) => void = () => undefined;
    const expiry = new Promise<LimitReason>((resolve) => (expire = resolve));
    const turn: Turn = { run: number, failed: false, expire };
    current = turn;
    const expired = await Promise.race([expiry, evaluate(source, turn)]);
    current = undefined;
    timers.clearAll();
    // No limit counts from here on: what remains is this one line.
    const over: ToWatchdog = { type: 'over', run: number };
    watchdog.postMessage(over);
    send({ type: 'done', run: number, reason: expired ?? (turn.failed ? 'exception' : 'complete') });
  }

  async function evaluate(source: string, turn: Turn): Promise<undefined> {
    const result = await evaluator.evaluate(source);
    // Unhandled rejections are known when the microtasks have run.
    await new Promise<void>((resolve) => nextTurn(resolve));
    if ('error' in result) failure(result.error);
    else await timers.none();
    await new Promise<void>((resolve) => nextTurn(resolve));
    // A run that expired meanwhile is over and says nothing more.
    if ('value' in result && current === turn && !turn.failed) send(describeValue(result.value));
    return undefined;
  }

  watchdog.on('message', (message: ToMain) => {
    if (message.type === 'run') void run(message.run, message.source);
    else if (current?.run === message.run) current.expire(message.reason);
  });
  watchdog.on('error', (error) => {
    process.stderr.write(`watchdog: ${error.message}\n`);
    process.kill(process.pid, 'SIGKILL');
  });
  watchdog.once('online', () => send({ type: 'ready' }));
}

interface Turn {
  run: number;
  /** An exception was reported. */
  failed: boolean;
  expire: (reason: LimitReason) => void;
}
