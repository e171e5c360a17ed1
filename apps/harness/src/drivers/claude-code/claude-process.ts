import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { endGroup, type GroupExit, type ProcessGroup, spawnGroup } from '../../lifecycle/child';
import { LineSplitter } from '../lines';
import { killOffspring, markedEnvironment } from '../offspring';
import { StderrTail } from '../stderr-tail';

export interface ClaudeProcessOptions {
  command: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** Awaited before anything more is read: the CLI waits when nobody takes what it says. */
  onLine: (line: string) => Promise<void>;
  onDropped: () => void;
}

const LAST_LINES_MS = 2_000;

/** One running Claude Code with its pipes. */
export class ClaudeProcess {
  /** Resolves when the process has ended and its last line was handled. */
  readonly ended: Promise<GroupExit>;
  private readonly tail: StderrTail;

  private constructor(
    private readonly group: ProcessGroup,
    private readonly mark: string,
    options: ClaudeProcessOptions,
  ) {
    this.tail = new StderrTail(options.env);
    group.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.tail.push(text));
    const read = this.readLines(options);
    this.ended = group.exited.then(async (exit) => {
      killOffspring(mark);
      // A process of a tool may hold the pipe open after the CLI is gone; what it writes is not the CLI's.
      await Promise.race([read, new Promise((resolve) => setTimeout(resolve, LAST_LINES_MS).unref())]);
      group.child.stdout?.destroy();
      return exit;
    });
  }

  /** Rejects where the program cannot be started. */
  static async start(options: ClaudeProcessOptions): Promise<ClaudeProcess> {
    const mark = randomUUID();
    const env = { ...options.env, ...markedEnvironment(mark) };
    const group = await spawnGroup(options.command, options.args, { cwd: options.cwd, env });
    return new ClaudeProcess(group, mark, options);
  }

  get pid(): number {
    return this.group.pid;
  }

  /** False from the moment the process has gone; `ended` may still be handling its last lines. */
  get alive(): boolean {
    const { exitCode, signalCode } = this.group.child;
    return exitCode === null && signalCode === null;
  }

  get stderrTail(): string | undefined {
    return this.tail.read();
  }

  /** Writes a line to stdin and waits while the pipe is full. A process that has gone is noticed by `ended`, not here. */
  async write(line: string): Promise<void> {
    const stdin = this.group.child.stdin;
    if (stdin === null || !stdin.writable) return;
    if (stdin.write(`${line}\n`)) return;
    const stop = new AbortController();
    await Promise.race([once(stdin, 'drain', { signal: stop.signal }), this.group.exited]).catch(() => undefined);
    stop.abort();
  }

  terminate(): void {
    this.group.signalGroup('SIGTERM');
  }

  async kill(): Promise<void> {
    killOffspring(this.mark);
    this.group.signalGroup('SIGKILL');
    await this.ended;
  }

  async stop(): Promise<void> {
    await endGroup(this.group);
    await this.ended;
  }

  private async readLines({ onLine, onDropped }: ClaudeProcessOptions): Promise<void> {
    const stdout = this.group.child.stdout;
    if (stdout === null) return;
    const splitter = new LineSplitter(undefined, onDropped);
    try {
      for await (const chunk of stdout) for (const line of splitter.push(chunk as Buffer)) await onLine(line);
    } catch {
      // The pipe broke because the process ended; `ended` says how.
    }
    const rest = splitter.rest();
    if (rest !== undefined) await onLine(rest);
  }
}
