import { type OrgScope } from '../access/principal';
import { type EventLog } from './event-log';
import { type LogEvent } from './log-event';

export interface FollowOptions {
  scope: OrgScope;
  sessionId: string;
  /** Number of the last event the follower has. */
  after: number;
  onEvent: (event: LogEvent) => void;
  /** Awaited between replayed events, so that the replay is no faster than its reader. */
  ready: () => Promise<void>;
  /** The cursor points before what is kept: the follower has to start from `firstSeq`. */
  onReset: (firstSeq: number) => void;
  /** The replay is over; what comes now is live. */
  onCaughtUp: (tail: number) => void;
  /** Something live was missed and could not be read: the follower has to come again with its cursor. */
  onLost: (error: unknown) => void;
  signal: AbortSignal;
}

/** Live events kept while the replay lasts; beyond it they are read from the log again. */
const MOST_EARLY = 5_000;

/**
 * Gives a follower every event after its cursor, once and in order: subscribes first, replays what is stored, then drops
 * from the live ones what the replay had. Where live events of another controller were missed, it replays again. Resolves
 * when the first replay is done; live events go on until the signal aborts.
 */
export async function followLog(log: Pick<EventLog, 'subscribe' | 'replay'>, options: FollowOptions): Promise<void> {
  const follower = new Follower(log, options);
  await follower.start();
}

class Follower {
  private cursor: number;
  private isReplaying = true;
  private isBehind = false;
  private early: LogEvent[] = [];
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly log: Pick<EventLog, 'subscribe' | 'replay'>,
    private readonly options: FollowOptions,
  ) {
    this.cursor = options.after;
  }

  async start(): Promise<void> {
    const { scope, sessionId, signal, onCaughtUp } = this.options;
    this.unsubscribe = this.log.subscribe(scope, sessionId, {
      onEvents: (events) => this.onEvents(events),
      onTail: (seq) => this.onTail(seq),
    });
    signal.addEventListener('abort', this.unsubscribe, { once: true });
    try {
      await this.catchUp();
    } catch (error) {
      this.unsubscribe();
      throw error;
    }
    onCaughtUp(this.cursor);
  }

  private onEvents(events: readonly LogEvent[]): void {
    const [first] = events;
    if (first === undefined) return;
    if (!this.isReplaying && first.seq <= this.cursor + 1) {
      for (const event of events) this.deliver(event);
      return;
    }
    this.early.push(...events);
    if (this.early.length > MOST_EARLY) {
      this.early = [];
      this.isBehind = true;
    }
    this.replayMissed();
  }

  private onTail(seq: number): void {
    if (seq <= this.cursor) return;
    this.isBehind = true;
    this.replayMissed();
  }

  private replayMissed(): void {
    if (this.isReplaying || this.options.signal.aborted) return;
    this.isReplaying = true;
    this.catchUp().catch((error: unknown) => {
      this.unsubscribe();
      this.options.onLost(error);
    });
  }

  /** Replays until nothing is known to be missing, then goes live in the same tick. */
  private async catchUp(): Promise<void> {
    const { signal } = this.options;
    do {
      this.isBehind = false;
      const before = this.cursor;
      await this.replay();
      this.deliverEarly(this.cursor > before);
      // What was dropped or missed is durable: the next pass has it.
    } while (this.isBehind && !signal.aborted);
    this.isReplaying = false;
  }

  private async replay(): Promise<void> {
    const { scope, sessionId, signal, onReset, ready } = this.options;
    for await (const event of this.log.replay(scope, sessionId, this.cursor)) {
      if (signal.aborted) return;
      // Only trimming makes a hole: the log itself has none.
      if (event.seq > this.cursor + 1) onReset(event.seq);
      this.deliver(event);
      await ready();
    }
  }

  /** Those that follow the cursor. The others wait for the next pass, unless the log has nothing to fill the hole with. */
  private deliverEarly(hasMoved: boolean): void {
    const early = this.early.sort((a, b) => a.seq - b.seq);
    this.early = [];
    for (const [index, event] of early.entries()) {
      if (event.seq > this.cursor + 1) {
        if (hasMoved) {
          this.early = early.slice(index);
          this.isBehind = true;
          return;
        }
        this.options.onReset(event.seq);
      }
      this.deliver(event);
    }
  }

  private deliver(event: LogEvent): void {
    if (event.seq <= this.cursor) return;
    this.cursor = event.seq;
    this.options.onEvent(event);
  }
}
