import { type Clock, systemClock } from './clock';
import { type Rng, systemRng } from './rng';

export interface IntervalOptions {
  /** From the end of one run to the start of the next. */
  everyMs: number;
  /** Share of `everyMs` by which each wait varies, 0 to 1. Default 0. */
  jitter?: number;
  run: (signal: AbortSignal) => Promise<void> | void;
  /** Told of a run that threw; the loop goes on. */
  onError: (error: unknown) => void;
  clock?: Clock;
  rng?: Rng;
}

export interface Interval {
  /** Runs at once, or right after the run that is under way. */
  trigger(): void;
  /** Ends the loop and resolves when the run under way has returned. */
  stop(): Promise<void>;
}

/** A loop that schedules itself: runs never overlap, a throwing run does not end it, and stopping waits for the last run. */
export function startInterval(options: IntervalOptions): Interval {
  const { everyMs, jitter = 0, run, onError, clock = systemClock, rng = systemRng } = options;
  const stopped = new AbortController();
  let wake = new AbortController();

  async function loop(): Promise<void> {
    while (!stopped.signal.aborted) {
      const waitMs = everyMs * (1 + jitter * (2 * rng.next() - 1));
      const waiting = AbortSignal.any([stopped.signal, wake.signal]);
      await clock.sleep(waitMs, waiting).catch(() => undefined);
      if (stopped.signal.aborted) return;
      wake = new AbortController();
      try {
        await run(stopped.signal);
      } catch (error) {
        onError(error);
      }
    }
  }

  const finished = loop();
  return {
    trigger: () => wake.abort(),
    stop: async () => {
      stopped.abort();
      await finished;
    },
  };
}
