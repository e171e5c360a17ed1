import { MongoError } from '../errors';
import { PAUSE } from '../query/query';

const SLICE_MS = 4;

/** Lets other connections be served between the parts of a long operation, and ends it when its time is up. */
export class Pacer {
  private sliceEnd = performance.now() + SLICE_MS;
  private readonly deadline: number;

  constructor(maxTimeMs = 0) {
    this.deadline = maxTimeMs > 0 ? performance.now() + maxTimeMs : Infinity;
  }

  async breathe(): Promise<void> {
    const now = performance.now();
    if (now > this.deadline) throw new MongoError(50, 'operation exceeded time limit');
    if (now < this.sliceEnd) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.sliceEnd = performance.now() + SLICE_MS;
  }
}

/** Feeds a scan's items to `take` until it answers false; pauses on the way. Resolves true when the scan is exhausted. */
export async function pump<T>(
  scan: Generator<T | typeof PAUSE, unknown>,
  take: (item: T) => boolean | void,
  pacer: Pacer,
): Promise<boolean> {
  for (;;) {
    const next = scan.next();
    if (next.done) return true;
    if (next.value === PAUSE) await pacer.breathe();
    else if (take(next.value) === false) return false;
  }
}
