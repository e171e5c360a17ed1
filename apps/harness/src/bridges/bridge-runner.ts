import { type Clock } from '@reins/shared/util/clock';
import { backoffMs } from '@reins/shared/util/retry';
import { type Rng } from '@reins/shared/util/rng';
import { describeError, type Logger } from '../log/logger';
import { type Bridge, type BridgeMessage, type BridgeName, BridgeRefused, type Place } from './bridge.port';

/**
 * starting: not connected yet. running: receives messages. retrying: the platform is gone, tried again on its own.
 * failed: the platform refuses; tried again too, as it may be put right there, but rarely. off: not configured.
 */
export interface BridgeState {
  name: BridgeName;
  state: 'starting' | 'running' | 'retrying' | 'failed' | 'off';
  reason?: string;
}

export interface BridgeTimes {
  /** Between attempts: from the first to the longest wait. */
  retryMs: number;
  retryCapMs: number;
  /** A bridge that is not connected after this long is made anew. */
  connectMs: number;
  /** After this long in service the waits begin at the first again. */
  soundMs: number;
}

export const BRIDGE_TIMES: BridgeTimes = { retryMs: 1_000, retryCapMs: 300_000, connectMs: 60_000, soundMs: 60_000 };

export interface BridgeRunnerOptions {
  name: BridgeName;
  create: () => Bridge;
  onMessage: (message: BridgeMessage) => void;
  log: Logger;
  clock: Clock;
  rng: Rng;
  times?: Partial<BridgeTimes>;
}

/** Keeps one bridge up: starts it, makes it anew when it fails, and says how it is. Nothing it does ever throws. */
export class BridgeRunner {
  private current: Bridge | undefined;
  private now: Omit<BridgeState, 'name'> = { state: 'starting' };
  private runningSince: number | undefined;
  private readonly stopped = new AbortController();
  private readonly times: BridgeTimes;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly options: BridgeRunnerOptions) {
    this.times = { ...BRIDGE_TIMES, ...options.times };
  }

  get state(): BridgeState {
    return { name: this.options.name, ...this.now };
  }

  start(): void {
    this.running = this.keep();
  }

  async stop(): Promise<void> {
    this.stopped.abort(new Error('the bridge is stopped'));
    await this.running;
    this.now = { state: 'off' };
  }

  /** Rejects while the bridge is down, and where the platform refuses with BridgeRefused. */
  async send(place: Place, text: string, replyTo?: string): Promise<void> {
    await this.up.send(place, text, replyTo);
  }

  async typing(place: Place): Promise<void> {
    await this.up.typing(place);
  }

  private get up(): Bridge {
    if (this.current === undefined || this.now.state !== 'running') throw new Error('the bridge is down');
    return this.current;
  }

  private async keep(): Promise<void> {
    const { clock, rng, log } = this.options;
    const { retryMs, retryCapMs, soundMs } = this.times;
    for (let attempt = 1; ; attempt++) {
      this.runningSince = undefined;
      const error = await this.serve();
      if (this.stopped.signal.aborted) return;
      if (this.runningSince !== undefined && clock.monotonic() - this.runningSince > soundMs) attempt = 1;
      const isRefused = error instanceof BridgeRefused;
      const waitMs = isRefused ? retryCapMs : Math.max(retryMs, backoffMs(attempt, retryMs, retryCapMs, rng));
      const reason = describeError(error);
      this.now = { state: isRefused ? 'failed' : 'retrying', reason };
      log[isRefused ? 'error' : 'warn']('bridge down', { reason, retryInMs: Math.round(waitMs) });
      await clock.sleep(waitMs, this.stopped.signal).catch(() => undefined);
      if (this.stopped.signal.aborted) return;
    }
  }

  /** One bridge from its start to its end; answers why it ended. */
  private async serve(): Promise<unknown> {
    let lose: (error: unknown) => void = () => undefined;
    const lost = new Promise<unknown>((resolve) => (lose = resolve));
    const { signal } = this.stopped;
    const stop = (): void => lose(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    let patience: AbortController | undefined;
    const calm = (): void => {
      patience?.abort();
      patience = undefined;
    };
    /** Counts from the first word of trouble: a library may say every half second that it tries again. */
    const runOut = (why: string): void => {
      if (patience !== undefined) return;
      patience = new AbortController();
      void this.options.clock.sleep(this.times.connectMs, patience.signal).then(
        () => lose(new Error(why)),
        () => undefined,
      );
    };
    let isOver = false;
    const running = (): void => {
      if (isOver) return;
      calm();
      this.runningSince ??= this.options.clock.monotonic();
      if (this.now.state !== 'running') this.options.log.info('bridge running');
      this.now = { state: 'running' };
    };
    let bridge: Bridge | undefined;
    try {
      runOut('the platform did not let the bridge in within its time');
      bridge = this.current = this.options.create();
      const started = bridge.start({
        onMessage: (message) => {
          if (!isOver) this.options.onMessage(message);
        },
        onWaiting: (reason) => {
          if (isOver) return;
          if (this.now.state === 'running') this.options.log.warn('bridge lost its connection', { reason });
          this.now = { state: 'retrying', reason };
          runOut(reason);
        },
        onRunning: running,
        onLost: lose,
        log: (level, message) => this.options.log[level](message),
      });
      void started.then(running, lose);
      return await lost;
    } catch (error) {
      return error;
    } finally {
      isOver = true;
      calm();
      signal.removeEventListener('abort', stop);
      this.current = undefined;
      await bridge?.stop().catch((error: unknown) => {
        this.options.log.debug('a bridge did not stop in order', { reason: describeError(error) });
      });
    }
  }
}
