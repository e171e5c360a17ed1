import { type OrgScope } from '../access/principal';
import { type LogEvent } from './log-event';

export interface LogListener {
  /** Events that became durable, in order; those of other controllers may be missing or late. */
  onEvents: (events: readonly LogEvent[]) => void;
  /** The log goes as far as this, whether or not everything up to there was told. */
  onTail: (seq: number) => void;
}

export interface Followed {
  readonly scope: OrgScope;
  readonly sessionId: string;
  readonly listeners: Set<LogListener>;
  /** The last number that was told to all listeners. */
  lastSeq: number;
  /** Whether anything was told since it was last looked at. */
  isMoving: boolean;
}

/** Who follows which session in this controller. */
export class FollowedSessions {
  private readonly bySession = new Map<string, Followed>();

  constructor(
    private readonly onFirst: (sessionId: string) => void,
    private readonly onLast: (sessionId: string) => void,
  ) {}

  /** Returns the function that ends the subscription. */
  add(scope: OrgScope, sessionId: string, listener: LogListener): () => void {
    let followed = this.bySession.get(sessionId);
    if (followed === undefined) {
      followed = { scope, sessionId, listeners: new Set(), lastSeq: 0, isMoving: false };
      this.bySession.set(sessionId, followed);
      this.onFirst(sessionId);
    }
    const { listeners } = followed;
    listeners.add(listener);
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      this.bySession.delete(sessionId);
      this.onLast(sessionId);
    };
  }

  /** `others`: whether other controllers may have written what nobody told of before these. */
  tell(sessionId: string, events: readonly LogEvent[], others: boolean): void {
    const followed = this.bySession.get(sessionId);
    const [first] = events;
    const last = events[events.length - 1];
    if (followed === undefined || first === undefined || last === undefined) return;
    const isGap = others && first.seq > followed.lastSeq + 1;
    followed.isMoving = true;
    followed.lastSeq = Math.max(followed.lastSeq, last.seq);
    for (const { onEvents, onTail } of [...followed.listeners]) {
      onEvents(events);
      if (isGap) onTail(last.seq);
    }
  }

  tellTail({ sessionId }: Followed, seq: number): void {
    const followed = this.bySession.get(sessionId);
    if (followed === undefined || seq <= followed.lastSeq) return;
    followed.lastSeq = seq;
    for (const { onTail } of [...followed.listeners]) onTail(seq);
  }

  get(sessionId: string): Followed | undefined {
    return this.bySession.get(sessionId);
  }

  /** Those nothing was told of since the last call: if something happened to them, nobody said so. */
  takeQuiet(): Followed[] {
    const quiet = [...this.bySession.values()].filter(({ isMoving }) => !isMoving);
    for (const followed of this.bySession.values()) followed.isMoving = false;
    return quiet;
  }

  all(): Followed[] {
    return [...this.bySession.values()];
  }
}
