import { type Clock, systemClock } from '@reins/shared/util';

/** Longer than any controller relies on a tail it has read. */
const SETTLED_AFTER_MS = 4_000;

/**
 * How far each log may be trimmed while several controllers write. One that still believes an old number to be the last
 * would put its next segment where a dropped one was; so only what has had successors for long enough is dropped.
 */
export class LogTrims {
  private readonly marks = new Map<string, { seq: number; at: number }>();

  constructor(private readonly clock: Pick<Clock, 'monotonic'> = systemClock) {}

  /** The number up to which segments may go; undefined where nothing is known for long enough. */
  settledSeq(sessionId: string): number | undefined {
    const mark = this.marks.get(sessionId);
    return mark !== undefined && this.clock.monotonic() - mark.at >= SETTLED_AFTER_MS ? mark.seq : undefined;
  }

  /** The log goes as far as this now. A mark stays until it has settled. */
  note(sessionId: string, seq: number): void {
    const mark = this.marks.get(sessionId);
    const at = this.clock.monotonic();
    if (mark === undefined || at - mark.at >= SETTLED_AFTER_MS) this.marks.set(sessionId, { seq, at });
  }

  forget(sessionId: string): void {
    this.marks.delete(sessionId);
  }
}
