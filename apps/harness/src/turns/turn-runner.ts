import { createHash } from 'node:crypto';
import { type RawOutput, type TurnCompleted } from '@reins/shared/link/events';
import { type TurnReport, type TurnReportAck } from '@reins/shared/link/frames';
import { type Clock } from '@reins/shared/util/clock';
import { type Driver, type DriverOutcome } from '../drivers/driver.port';
import { type EventChannel } from '../events/event-channel';
import { beginning } from '../events/oversize';
import { LinkRefusal } from '../link/link-errors';
import { describeError, type Logger } from '../log/logger';
import { artifactsOf, changedFiles, type FileSnapshot, snapshotFiles } from './file-changes';
import { type Lanes } from './lanes';
import { type LiveTurn, type StopCause } from './live-turn';
import { TurnSink } from './turn-sink';

export interface TurnRunnerOptions {
  workspace: string;
  /** Files in the workspace's own folder that the harness wrote itself. */
  ignoredFiles: ReadonlySet<string>;
  defaultTimeoutMs: () => number;
  channel: EventChannel;
  lanes: Lanes;
  report: (frame: 'turn.started' | 'turn.lost', body: TurnReport) => Promise<TurnReportAck>;
  fetchPrompt: (promptUrl: string, signal: AbortSignal) => Promise<string>;
  upload: (content: Buffer, contentType: string, sha256: string, signal?: AbortSignal) => Promise<{ blobId: string }>;
  conversationOf: (lane: string) => string | undefined;
  setConversation: (lane: string, id: string) => void;
  log: Logger;
  clock: Clock;
  /** How long an agent may take to stop when asked, before it is killed. */
  softStopMs?: number;
}

const SOFT_STOP_MS = 5_000;
/** SIGTERM and SIGKILL are the driver's; after this long the turn is over even if the driver does not say so. */
const KILL_WAIT_MS = 4_000;
const REPORT_RETRY_MS = 200;
const RAW_INLINE_BYTES = 16 * 1024;
const ERROR_TEXT_BYTES = 8 * 1024;

type Outcome = Omit<DriverOutcome, 'status'> & { status: TurnCompleted['status'] };

/** Runs turns of one session from lease to terminal event. */
export class TurnRunner {
  constructor(private readonly options: TurnRunnerOptions) {}

  /**
   * Runs one turn. Resolves when its agent is free again, with the number of the terminal event, or undefined where the
   * turn was not ours to finish. Never rejects.
   */
  async run(turn: LiveTurn): Promise<number | undefined> {
    const { workspace, ignoredFiles, log } = this.options;
    const look = snapshotFiles(workspace, { ignore: ignoredFiles });
    let prompt = turn.pulled.prompt;
    if (turn.pulled.promptUrl !== undefined) {
      try {
        prompt = await this.options.fetchPrompt(turn.pulled.promptUrl, turn.signal);
      } catch (error) {
        log.error('the prompt could not be fetched', { turnId: turn.id, reason: describeError(error) });
        await this.tell('turn.lost', turn, { reason: 'prompt_unavailable' });
        return undefined;
      }
    }
    if (!(await this.tell('turn.started', turn, {}))) {
      turn.stop('fenced');
      return undefined;
    }
    turn.state = 'running';
    const sink = new TurnSink({
      turn,
      channel: this.options.channel,
      upload: this.options.upload,
      onEvent: () => this.noteConversation(turn, driver),
    });
    let driver: Driver | undefined;
    const outcome = await this.drive(turn, prompt, sink, look, (started) => (driver = started));
    this.noteConversation(turn, driver);
    if (turn.isFenced) return undefined;
    return this.finish(turn, outcome, await look, sink);
  }

  private async drive(
    turn: LiveTurn,
    prompt: string,
    sink: TurnSink,
    look: Promise<unknown>,
    onDriver: (driver: Driver) => void,
  ): Promise<Outcome> {
    const { lanes, defaultTimeoutMs, clock } = this.options;
    if (turn.signal.aborted) return stoppedOutcome(turn.stopCause, undefined);
    const over = new AbortController();
    void clock
      .sleep(turn.pulled.timeoutMs ?? defaultTimeoutMs(), over.signal)
      .then(() => turn.stop('timeout'))
      .catch(() => undefined);
    const prompting = (async (): Promise<Outcome> => {
      try {
        const driver = await lanes.acquire(turn.lane);
        onDriver(driver);
        // What the agent writes must not be in the picture of before, however quick it is.
        await look;
        return await driver.prompt({ turnId: turn.id, prompt }, sink, turn.signal);
      } catch (error) {
        return failure('agent_error', describeError(error));
      }
    })();
    const outcome = await Promise.race([prompting, this.forced(turn, over.signal)]);
    over.abort();
    lanes.release(turn.lane);
    return turn.signal.aborted && outcome.status !== 'complete' ? stoppedOutcome(turn.stopCause, outcome) : outcome;
  }

  /** Resolves only where the agent does not stop when asked: it is then killed. A turn that is not ours has no grace. */
  private async forced(turn: LiveTurn, over: AbortSignal): Promise<Outcome> {
    const { lanes, clock, softStopMs = SOFT_STOP_MS, log } = this.options;
    await aborted(turn.signal, over);
    if (!turn.isFenced) await clock.sleep(softStopMs, over).catch(() => never());
    if (over.aborted) return never();
    log.warn('the agent did not stop when asked and is killed', { turnId: turn.id, cause: turn.stopCause });
    await Promise.race([lanes.discard(turn.lane), clock.sleep(KILL_WAIT_MS)]);
    await clock.sleep(KILL_WAIT_MS / 2, over).catch(() => never());
    return failure('process_exited', 'the agent was killed');
  }

  private async finish(
    turn: LiveTurn,
    outcome: Outcome,
    before: FileSnapshot,
    sink: TurnSink,
  ): Promise<number | undefined> {
    const { workspace, ignoredFiles, channel, log } = this.options;
    const changes = changedFiles(before, await snapshotFiles(workspace, { ignore: ignoredFiles }));
    for (const { path, action } of changes) await sink.emit('file.changed', { path, action });
    const raw = outcome.raw === undefined ? undefined : await this.keepRaw(turn, outcome.raw);
    const data: TurnCompleted = {
      status: outcome.status,
      stopReason: outcome.stopReason.slice(0, 200),
      artifacts: artifactsOf(changes),
      ...(outcome.usage === undefined ? {} : { usage: outcome.usage }),
      ...(outcome.error === undefined ? {} : { error: shortError(outcome.error) }),
      ...(raw === undefined ? {} : { raw }),
    };
    if (turn.isFenced) return undefined;
    turn.state = 'finishing';
    log.info('turn ended', { turnId: turn.id, status: data.status, stopReason: data.stopReason });
    return channel.publish({ turnId: turn.id, generation: turn.generation, type: 'turn.completed', data });
  }

  private async keepRaw(turn: LiveTurn, raw: Required<Pick<RawOutput, 'format' | 'content'>>): Promise<RawOutput> {
    if (Buffer.byteLength(raw.content) <= RAW_INLINE_BYTES) return raw;
    const content = Buffer.from(raw.content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    try {
      const { blobId } = await this.options.upload(content, 'application/octet-stream', sha256);
      return { format: raw.format, blobId };
    } catch (error) {
      const message = `the raw output of the turn (${content.length} bytes) could not be stored`;
      this.options.log.warn(message, { turnId: turn.id, reason: describeError(error) });
      await this.options.channel.publish({
        turnId: turn.id,
        generation: turn.generation,
        type: 'log',
        data: { level: 'warn', message },
      });
      return { format: raw.format };
    }
  }

  /** Reports until it is heard; false where the turn is no longer ours. */
  private async tell(frame: 'turn.started' | 'turn.lost', turn: LiveTurn, more: { reason?: string }): Promise<boolean> {
    const conversation = this.options.conversationOf(turn.lane);
    const body: TurnReport = {
      sessionId: turn.pulled.sessionId,
      turnId: turn.id,
      generation: turn.generation,
      ...(conversation === undefined ? {} : { cliSessionId: conversation }),
      ...more,
    };
    while (!turn.isFenced) {
      try {
        return 'ok' in (await this.options.report(frame, body));
      } catch (error) {
        if (error instanceof LinkRefusal && error.code === 'fenced') return false;
        this.options.log.debug(`${frame} goes again`, { turnId: turn.id, reason: describeError(error) });
        const retryAfterMs = error instanceof LinkRefusal ? error.retryAfterMs : undefined;
        await this.options.clock.sleep(retryAfterMs ?? REPORT_RETRY_MS);
      }
    }
    return false;
  }

  /** A CLI names its conversation only once it runs; the controller must know it so that another harness can go on. */
  private noteConversation(turn: LiveTurn, driver: Driver | undefined): void {
    const id = driver?.conversationId;
    if (id === undefined || id === this.options.conversationOf(turn.lane)) return;
    this.options.setConversation(turn.lane, id);
    if (!turn.isFenced && turn.state === 'running') void this.tellConversation(turn, id);
  }

  private async tellConversation(turn: LiveTurn, cliSessionId: string): Promise<void> {
    const { sessionId } = turn.pulled;
    try {
      await this.options.report('turn.started', {
        sessionId,
        turnId: turn.id,
        generation: turn.generation,
        cliSessionId,
      });
    } catch (error) {
      // The next turn.started or hello names it again.
      this.options.log.debug('the conversation id was not heard', { turnId: turn.id, reason: describeError(error) });
    }
  }
}

const STOPPED: Readonly<Record<StopCause, { status: TurnCompleted['status']; stopReason: string }>> = {
  abort: { status: 'cancelled', stopReason: 'aborted' },
  end: { status: 'cancelled', stopReason: 'session_ended' },
  timeout: { status: 'failed', stopReason: 'timeout' },
  drain: { status: 'interrupted', stopReason: 'harness_stopped' },
  fenced: { status: 'interrupted', stopReason: 'fenced' },
};

/** How a stopped turn is reported: by who stopped it, not by how its agent took that. */
function stoppedOutcome(cause: StopCause | undefined, outcome: Outcome | undefined): Outcome {
  const { status, stopReason } = STOPPED[cause ?? 'abort'];
  const error = status === 'failed' ? (outcome?.error ?? { message: 'the agent did not finish in time' }) : undefined;
  return {
    status,
    stopReason,
    usage: outcome?.usage,
    ...(error === undefined ? {} : { error }),
    ...(outcome?.raw === undefined ? {} : { raw: outcome.raw }),
  };
}

function failure(stopReason: string, message: string): Outcome {
  return { status: 'failed', stopReason, usage: undefined, error: { message } };
}

function shortError(error: { message: string; stderrTail?: string }): { message: string; stderrTail?: string } {
  const message = beginning(error.message, ERROR_TEXT_BYTES);
  if (error.stderrTail === undefined) return { message };
  return { message, stderrTail: error.stderrTail.slice(-ERROR_TEXT_BYTES / 2) };
}

function aborted(signal: AbortSignal, over: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true, signal: over }));
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
