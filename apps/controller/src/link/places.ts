import { type Clock, systemClock } from '@reins/shared/util';

/**
 * A bounded number of places. Whoever finds none waits in line for a moment: to be refused, and to come back with a new
 * connection, costs both sides more than that.
 */
export class Places {
  private readonly line = new Set<() => void>();

  constructor(
    private free: number,
    private readonly patienceMs: number,
    private readonly clock: Clock = systemClock,
  ) {}

  /** Whether there was a place in time; who has one must `leave` it. */
  async enter(): Promise<boolean> {
    if (this.free > 0) {
      this.free--;
      return true;
    }
    const called = new AbortController();
    const call = (): void => called.abort();
    this.line.add(call);
    await this.clock.sleep(this.patienceMs, called.signal).catch(() => undefined);
    // Whoever is still in line by now was not called.
    return !this.line.delete(call);
  }

  /** Hands the place to the next in line. */
  leave(): void {
    const [next] = this.line;
    if (next === undefined) {
      this.free++;
      return;
    }
    this.line.delete(next);
    next();
  }
}
