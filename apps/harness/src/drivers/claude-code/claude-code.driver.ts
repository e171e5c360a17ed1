import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@reins/shared/util';
import {
  type Driver,
  type DriverCapabilities,
  type DriverContext,
  type DriverFactory,
  type DriverOutcome,
  type DriverTurn,
  type EventSink,
} from '../driver.port';
import { claudeArguments } from './arguments';
import { ClaudeProcess } from './claude-process';
import { claudeConfigDir, claudeEnvironment } from './environment';
import { LineMapper } from './line-mapper';
import { controlRefusal, interruptRequest, parseLine, userMessage } from './messages';
import { type ClaudeOptions, claudeOptions } from './options';
import { ClaudeTurn } from './turn';

const INTERRUPT_AGAIN_MS = 500;
const INTERRUPT_FOR_MS = 5_000;
const TERMINATE_FOR_MS = 2_000;

export const createClaudeCodeDriver: DriverFactory = (context) => new ClaudeCodeDriver(context);

/** Real Claude Code: one warm process a lane, prompts on its stdin, its own conversation carried on over restarts. */
class ClaudeCodeDriver implements Driver {
  readonly capabilities: DriverCapabilities = { deltas: true, resume: true, usage: true, permissions: false };
  private readonly options: ClaudeOptions;
  private conversation: string | undefined;
  private process: ClaudeProcess | undefined;
  private mapper = new LineMapper();
  private turn: ClaudeTurn | undefined;
  /** The CLI has echoed the prompt of the turn. */
  private promptTaken = false;
  /** The CLI began a turn by itself, for example because a command it had left running ended. */
  private ownTurn = false;

  constructor(private readonly context: DriverContext) {
    this.options = claudeOptions(context);
    this.conversation = this.options.resume ? context.resumeId : undefined;
  }

  get conversationId(): string | undefined {
    return this.conversation;
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  async start(): Promise<void> {
    await mkdir(claudeConfigDir(this.context.stateDir), { recursive: true, mode: 0o700 });
  }

  async prompt({ prompt }: DriverTurn, sink: EventSink, signal: AbortSignal): Promise<DriverOutcome> {
    if (this.turn !== undefined) throw new Error('a lane runs one turn at a time');
    const end = await this.run(prompt, sink, signal);
    if (end !== 'conversation_missing') return end;
    this.conversation = undefined;
    await sink.emit('log', { level: 'warn', message: 'the conversation to carry on is gone; a new one was started' });
    const second = await this.run(prompt, sink, signal);
    return second === 'conversation_missing' ? failed('agent_error', 'no conversation could be started') : second;
  }

  async kill(): Promise<void> {
    await this.process?.kill();
  }

  async stop(): Promise<void> {
    await this.process?.stop();
  }

  private async run(
    prompt: string,
    sink: EventSink,
    signal: AbortSignal,
  ): Promise<DriverOutcome | 'conversation_missing'> {
    if (signal.aborted) return { status: 'cancelled', stopReason: 'aborted', usage: undefined };
    const turn = new ClaudeTurn(sink, signal);
    const over = new AbortController();
    this.turn = turn;
    this.promptTaken = false;
    try {
      const process = await this.ready();
      if (process instanceof Error) {
        const message = `Claude Code could not be started (${process.message}); is it installed, is CLAUDE_PATH right?`;
        return failed('start_failed', message);
      }
      const interrupt = (): void => void this.interrupt(process, over.signal);
      signal.addEventListener('abort', interrupt, { once: true, signal: over.signal });
      await process.write(userMessage(prompt));
      if (signal.aborted) interrupt();
      return await turn.ended.catch(async (error: unknown) => {
        // Nobody takes the events any more; what the CLI still does must not run into the next turn.
        await process.kill();
        throw error;
      });
    } finally {
      over.abort();
      this.turn = undefined;
    }
  }

  /** The running process, or a new one; an error where none can be started. */
  private async ready(): Promise<ClaudeProcess | Error> {
    if (this.process?.alive === true) return this.process;
    await this.process?.ended;
    const { context, options } = this;
    await this.start();
    const resumeId = options.resume ? this.conversation : undefined;
    this.mapper = new LineMapper(resumeId !== undefined);
    this.ownTurn = false;
    const mcpConfigFile = await this.writeMcpConfig();
    const started = ClaudeProcess.start({
      command: options.command,
      args: claudeArguments({
        options,
        allowedTools: context.allowedTools,
        mcpServers: Object.keys(context.mcpServers),
        mcpConfigFile,
        resumeId,
      }),
      cwd: context.workspace,
      env: claudeEnvironment(context, options),
      onLine: async (line) => this.onLine(await started, line),
      onDropped: () => context.log.warn('Claude Code wrote a line above 64 MiB; it was dropped'),
    });
    const process = await started.catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    );
    if (process instanceof Error) return process;
    this.process = process;
    void process.ended.then(({ code, signal }) => {
      if (this.process !== process) return;
      this.process = undefined;
      this.turn?.processEnded(signal === null ? `with exit code ${code}` : `by ${signal}`, process.stderrTail);
    });
    return process;
  }

  /** The file may carry credentials of MCP servers, so nobody else may read it. */
  private async writeMcpConfig(): Promise<string | undefined> {
    const { mcpServers, stateDir, lane } = this.context;
    if (Object.keys(mcpServers).length === 0) return undefined;
    const file = join(claudeConfigDir(stateDir), `mcp-${encodeURIComponent(lane)}.json`);
    await writeFile(file, JSON.stringify({ mcpServers }), { mode: 0o600 });
    return file;
  }

  private async onLine(process: ClaudeProcess, line: string): Promise<void> {
    const message = parseLine(line);
    if (message === undefined) return this.context.log.debug(`Claude Code: not a message: ${line.slice(0, 200)}`);
    const { turn } = this;
    turn?.raw.add(line);
    const mapped = this.mapper.map(message);
    if (mapped.asks !== undefined) await process.write(controlRefusal(mapped.asks));
    if (mapped.conversationId !== undefined) {
      this.conversation = mapped.conversationId;
      if (turn === undefined) this.ownTurn = true;
    }
    if (mapped.promptTaken === true) this.promptTaken = true;
    const ours = !this.ownTurn || this.promptTaken;
    if (turn !== undefined && ours) for (const event of mapped.events) await turn.emit(event);
    if (mapped.result === undefined) return;
    this.ownTurn = false;
    if (turn === undefined || !ours) return;
    if (mapped.result.conversationMissing) {
      // It ends by itself now, and its end must not be taken for the end of the process that follows.
      this.process = undefined;
      turn.conversationMissing();
    } else {
      turn.result(mapped.result);
    }
  }

  /** Asks until the turn is over: a request that comes before the CLI has taken up the prompt interrupts nothing. */
  private async interrupt(process: ClaudeProcess, over: AbortSignal): Promise<void> {
    const passed = (ms: number): Promise<boolean> =>
      systemClock.sleep(ms, over).then(
        () => true,
        () => false,
      );
    for (let waited = 0; waited < INTERRUPT_FOR_MS; waited += INTERRUPT_AGAIN_MS) {
      await process.write(interruptRequest(randomUUID()));
      if (!(await passed(INTERRUPT_AGAIN_MS))) return;
    }
    process.terminate();
    if (await passed(TERMINATE_FOR_MS)) await process.kill();
  }
}

function failed(stopReason: string, message: string): DriverOutcome {
  return { status: 'failed', stopReason, usage: undefined, error: { message } };
}
