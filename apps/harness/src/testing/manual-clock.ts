import { type Clock } from '@reins/shared/util/clock';

interface Sleeper {
  until: number;
  wake: () => void;
}

/** Time that passes only when the test says so. What really happens meanwhile, on sockets, takes its own time. */
export class ManualClock implements Clock {
  /** Every wait that was asked for, in order. */
  readonly waits: number[] = [];
  private elapsed = 0;
  private sleepers: Sleeper[] = [];

  constructor(private readonly startedAt = Date.UTC(2026, 0, 1)) {}

  now(): number {
    return this.startedAt + this.elapsed;
  }

  monotonic(): number {
    return this.elapsed;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.waits.push(ms);
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.sleepers = this.sleepers.filter((one) => one !== sleeper);
        reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      const sleeper: Sleeper = {
        until: this.elapsed + ms,
        wake: () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      if (signal?.aborted === true) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      this.sleepers.push(sleeper);
    });
  }

  /** Lets this much time pass, waking everybody in the order of their times. */
  async advance(ms: number): Promise<void> {
    const target = this.elapsed + ms;
    for (;;) {
      const next = this.sleepers.filter(({ until }) => until <= target).sort((a, b) => a.until - b.until)[0];
      if (next === undefined) break;
      this.sleepers = this.sleepers.filter((one) => one !== next);
      this.elapsed = Math.max(this.elapsed, next.until);
      next.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.elapsed = target;
  }

  /** Until somebody waits for this long, give or take a tenth. Rejects after ten seconds of real time. */
  async untilAsleepFor(ms: number): Promise<void> {
    const isMeant = ({ until }: Sleeper): boolean => Math.abs(until - this.elapsed - ms) <= ms / 10;
    await realUntil(
      `a wait of ${ms} ms`,
      () => this.sleepers.some(isMeant),
      () => `waits: ${this.waits.join()}`,
    );
  }
}

/** Until the condition holds. Rejects after ten seconds of real time, with what `detail` has to say. */
export async function realUntil(
  what: string,
  condition: () => boolean,
  detail: () => string = () => '',
): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never came: ${what}; ${detail()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
