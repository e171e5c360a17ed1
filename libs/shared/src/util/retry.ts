import { type Clock, systemClock } from './clock';
import { type Rng, systemRng } from './rng';

export interface RetryOptions {
  /** Waits between attempts; there is one attempt more than waits. */
  delaysMs: readonly number[];
  /** Whether this failure is worth another attempt. Default: every one. */
  shouldRetry?: (error: unknown) => boolean;
  onRetry?: (error: unknown, attempt: number, delayMs: number) => void;
  signal?: AbortSignal;
  clock?: Clock;
}

/** Calls `fn` until it succeeds or the waits are used up; then throws the last failure. */
export async function retry<T>(fn: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { delaysMs, shouldRetry = () => true, onRetry, signal, clock = systemClock } = options;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await fn(attempt);
    } catch (error) {
      const delayMs = delaysMs[attempt - 1];
      if (delayMs === undefined || !shouldRetry(error)) throw error;
      onRetry?.(error, attempt, delayMs);
      await clock.sleep(delayMs, signal);
    }
  }
}

/** Full jitter: anywhere from 0 to the doubled base, never past the cap. `attempt` counts from 1. */
export function backoffMs(attempt: number, baseMs: number, capMs: number, rng: Rng = systemRng): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return rng.next() * ceiling;
}
