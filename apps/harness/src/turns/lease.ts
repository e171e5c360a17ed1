import { LINK } from '@reins/shared/link/limits';
import { type Clock } from '@reins/shared/util/clock';

/**
 * How long a turn is ours, by our own monotonic clock: the controller's wall time may be minutes off. It counts from
 * when the renewing request was sent, so that the answer's way makes it shorter and never longer.
 */
export class Lease {
  private until: number;

  constructor(
    private readonly clock: Clock,
    private readonly durationMs: number,
    // A controller with short leases leaves a share of them to work in.
    private readonly marginMs: number = Math.min(LINK.selfFenceMarginMs, durationMs / 4),
  ) {
    this.until = clock.monotonic() + durationMs;
  }

  renew(sentAt: number): void {
    this.until = Math.max(this.until, sentAt + this.durationMs);
  }

  /** Whether publishing must pause, because the lease may end before the next renewal. */
  get fencesItself(): boolean {
    return this.clock.monotonic() >= this.until - this.marginMs;
  }
}
