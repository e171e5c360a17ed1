import { type Duplex, type Readable } from 'node:stream';
import { endGroup, type GroupExit, type ProcessGroup, spawnGroup } from '../../lifecycle/child';
import { LineSplitter } from '../lines';
import { StderrTail } from '../stderr-tail';
import { childCommand } from './child-entry';
import { type ChildMessage, CONTROL_FD, type DriverMessage, EVENTS_FD, type LimitMessage } from './messages';

export interface JavascriptProcessOptions {
  cwd: string;
  env: Readonly<Record<string, string>>;
  memoryBytes: number;
  /** Awaited before more is read; the child waits meanwhile. */
  onMessage: (message: ChildMessage) => Promise<void>;
  onLimit: (message: LimitMessage) => void;
  onOutput: (stream: 'stdout' | 'stderr', text: string) => Promise<void>;
}

/** One child process and its channels. */
export class JavascriptProcess {
  /** Resolves when the process has ended and everything it said was handled. */
  readonly ended: Promise<GroupExit>;
  private readonly tail: StderrTail;

  private constructor(
    private readonly group: ProcessGroup,
    options: JavascriptProcessOptions,
  ) {
    this.tail = new StderrTail(options.env);
    const { child } = group;
    const events = child.stdio[EVENTS_FD] as Readable;
    const control = child.stdio[CONTROL_FD] as Duplex;
    const all = [
      readLines(events, options.onMessage),
      readLines<LimitMessage>(control, async (message) => options.onLimit(message)),
      readText(child.stdout, (text) => options.onOutput('stdout', text)),
      readText(child.stderr, (text) => {
        this.tail.push(text);
        return options.onOutput('stderr', text);
      }),
    ];
    // A write to a child that is gone; that it is gone is what `ended` tells.
    control.on('error', () => undefined);
    this.ended = group.exited.then(async (exit) => {
      await Promise.all(all);
      return exit;
    });
  }

  static async start(options: JavascriptProcessOptions): Promise<JavascriptProcess> {
    const { command, args } = childCommand(options.memoryBytes);
    const stdio: 'pipe'[] = ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'];
    const group = await spawnGroup(command, args, { cwd: options.cwd, env: options.env, stdio });
    group.child.stdin?.end();
    return new JavascriptProcess(group, options);
  }

  get pid(): number {
    return this.group.pid;
  }

  get alive(): boolean {
    const { exitCode, signalCode } = this.group.child;
    return exitCode === null && signalCode === null;
  }

  get stderrTail(): string | undefined {
    return this.tail.read();
  }

  send(message: DriverMessage): void {
    const control = this.group.child.stdio[CONTROL_FD] as Duplex;
    if (control.writable) control.write(`${JSON.stringify(message)}\n`);
  }

  async kill(): Promise<void> {
    this.group.signalGroup('SIGKILL');
    await this.ended;
  }

  async stop(): Promise<void> {
    await endGroup(this.group);
    await this.ended;
  }
}

async function readLines<T>(stream: Readable, use: (message: T) => Promise<void>): Promise<void> {
  const splitter = new LineSplitter();
  await readChunks(stream, async (chunk: Buffer) => {
    for (const line of splitter.push(chunk)) {
      const message = parse<T>(line);
      if (message !== undefined) await use(message);
    }
  });
}

async function readText(stream: Readable | null, use: (text: string) => Promise<void>): Promise<void> {
  if (stream === null) return;
  stream.setEncoding('utf8');
  await readChunks(stream, (text: string) => use(text));
}

async function readChunks<C>(stream: Readable, use: (chunk: C) => Promise<void>): Promise<void> {
  try {
    for await (const chunk of stream) await use(chunk as C);
  } catch {
    // The channel broke with the process; how it ended is told by its exit.
  }
}

/** The code can write to the channel too, so a line that is no message is nothing to fail over. */
function parse<T>(line: string): T | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
