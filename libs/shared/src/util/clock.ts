/** Where time decides something, it comes from here, so that a test can move it. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. Only for what people and other machines read. */
  now(): number;
  /** Milliseconds from an arbitrary start that never jump. For every duration and deadline. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortReason(signal));
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', cancelled, { once: true });
      function done(): void {
        signal?.removeEventListener('abort', cancelled);
        resolve();
      }
      function cancelled(): void {
        clearTimeout(timer);
        reject(abortReason(signal));
      }
    }),
};

function abortReason(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error('aborted');
}

/** A time as the API writes it: RFC 3339 in milliseconds, UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
