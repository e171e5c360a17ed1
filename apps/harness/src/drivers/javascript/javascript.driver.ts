import {
  type Driver,
  type DriverCapabilities,
  type DriverContext,
  type DriverFactory,
  type DriverOutcome,
  type DriverTurn,
  type EventSink,
} from '../driver.port';
import { JavascriptProcess } from './javascript-process';
import { type ChildMessage, type LimitReason } from './messages';
import { endOfProcess, endOfRun } from './outcome';

/** Node itself and its two threads, beside what the code may use. */
const BASE_BYTES = 96 * 1024 * 1024;
/** The child ends a run at its limits by itself; after this long beyond them, in silence, it is taken for dead. */
const SILENCE_MS = 5_000;

export const createJavascriptDriver: DriverFactory = (context) => new JavascriptDriver(context);

interface Turn {
  run: number;
  sink: EventSink;
  limit: LimitReason | undefined;
  finish: (outcome: DriverOutcome) => void;
  fail: (error: unknown) => void;
  heard: () => void;
}

/** A JavaScript REPL in a process of its own; the prompt is the source, and what it declares stays for the next one. */
class JavascriptDriver implements Driver {
  readonly capabilities: DriverCapabilities = { deltas: true, resume: false, usage: false, permissions: false };
  readonly conversationId = undefined;
  private process: JavascriptProcess | undefined;
  private turn: Turn | undefined;
  private runs = 0;
  private contextLost = false;

  constructor(private readonly context: DriverContext) {}

  get pid(): number | undefined {
    return this.process?.pid;
  }

  async start(): Promise<void> {
    // The process starts with the first prompt: an idle session costs nothing.
  }

  async prompt({ prompt }: DriverTurn, sink: EventSink, signal: AbortSignal): Promise<DriverOutcome> {
    if (this.turn !== undefined) throw new Error('a lane runs one turn at a time');
    if (signal.aborted) return { status: 'cancelled', stopReason: 'aborted', usage: undefined };
    const { cpuMs, wallMs, memoryBytes } = this.context.session.limits;
    const child = await this.ready(sink);
    if (child instanceof Error) {
      const message = `the JavaScript process could not be started: ${child.message}`;
      return { status: 'failed', stopReason: 'start_failed', usage: undefined, error: { message } };
    }
    const run = ++this.runs;
    const abort = (): void => child.send({ type: 'abort', run });
    let silence: NodeJS.Timeout | undefined;
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => void child.kill(), wallMs + SILENCE_MS);
    };
    try {
      return await new Promise<DriverOutcome>((finish, fail) => {
        this.turn = { run, sink, limit: undefined, finish, fail, heard };
        heard();
        child.send({ type: 'run', run, source: prompt, cpuMs, wallMs, residentBytes: memoryBytes + BASE_BYTES });
        signal.addEventListener('abort', abort, { once: true });
      });
    } finally {
      clearTimeout(silence);
      signal.removeEventListener('abort', abort);
      this.turn = undefined;
    }
  }

  async kill(): Promise<void> {
    await this.process?.kill();
  }

  async stop(): Promise<void> {
    await this.process?.stop();
  }

  /** The running process, or a new one; an error where none can be started. */
  private async ready(sink: EventSink): Promise<JavascriptProcess | Error> {
    if (this.process?.alive === true) return this.process;
    await this.process?.ended;
    const { workspace, env, session } = this.context;
    const child = await JavascriptProcess.start({
      cwd: workspace,
      env,
      memoryBytes: session.limits.memoryBytes,
      onMessage: (message) => this.onMessage(message),
      onLimit: ({ run, reason }) => {
        if (this.turn?.run === run) this.turn.limit = reason;
      },
      onOutput: (stream, text) => this.emit((to) => to.emit(stream, { text })),
    }).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
    if (child instanceof Error) return child;
    this.process = child;
    void child.ended.then((exit) => this.onEnded(child, exit));
    if (this.contextLost) {
      await sink.emit('log', {
        level: 'warn',
        message: 'the JavaScript context was lost; this prompt starts a new one',
      });
    }
    this.contextLost = false;
    return child;
  }

  private async onMessage(message: ChildMessage): Promise<void> {
    switch (message.type) {
      case 'console':
        return this.emit((sink) => sink.emit('console', { level: message.level, text: message.text }));
      case 'value': {
        const json = message.json !== undefined ? { json: message.json } : {};
        return this.emit((sink) => sink.emit('value', { text: message.text, type: message.valueType, ...json }));
      }
      case 'exception': {
        const stack = message.stack !== undefined ? { stack: message.stack } : {};
        return this.emit((sink) => sink.emit('exception', { name: message.name, message: message.message, ...stack }));
      }
      case 'done':
        if (message.run === this.turn?.run) this.turn.finish(endOfRun(message.reason, this.context.session.limits));
        return;
      default:
    }
  }

  private onEnded(child: JavascriptProcess, exit: { code: number | null; signal: NodeJS.Signals | null }): void {
    if (this.process === child) this.process = undefined;
    this.contextLost = true;
    const { turn } = this;
    turn?.finish(endOfProcess(exit, turn.limit, child.stderrTail, this.context.session.limits));
  }

  /** What comes between turns, from a server the code left running for instance, has no turn to belong to. */
  private async emit(say: (sink: EventSink) => Promise<void>): Promise<void> {
    const { turn } = this;
    if (turn === undefined) return this.context.log.debug('JavaScript output outside a turn was dropped');
    turn.heard();
    await say(turn.sink).catch((error: unknown) => turn.fail(error));
    turn.heard();
  }
}
