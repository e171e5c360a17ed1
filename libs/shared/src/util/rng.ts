/** Randomness that decides something (jitter, selection), injected so that a test can fix it. Not for secrets. */
export interface Rng {
  /** A number in [0, 1). */
  next(): number;
}

export const systemRng: Rng = { next: () => Math.random() };

/** A repeatable sequence (mulberry32) for tests; print the seed when such a test fails. */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    },
  };
}
