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
  signal: AbortSignal;
}

/** Live events kept while the replay lasts; beyond it they are read from the log again. */
const MOST_EARLY = 5_000;

/**
 * Gives a follower every event after its cursor, once and in order: subscribes first, replays what is stored, then drops
 * from the live ones what the replay had. Resolves when the replay is done; live events go on until the signal aborts.
 */
export async function followLog(log: Pick<EventLog, 'subscribe' | 'replay'>, options: FollowOptions): Promise<void> {
  const { scope, sessionId, onEvent, ready, onReset, onCaughtUp, signal } = options;
  let cursor = options.after;
  let replaying = true;
  let early: LogEvent[] = [];
  let overflowed: boolean;

  const deliver = (event: LogEvent): void => {
    if (event.seq <= cursor) return;
    cursor = event.seq;
    onEvent(event);
  };
  const unsubscribe = log.subscribe(sessionId, (events) => {
    if (!replaying) {
      for (const event of events) deliver(event);
      return;
    }
    early.push(...events);
    if (early.length <= MOST_EARLY) return;
    early = [];
    overflowed = true;
  });
  signal.addEventListener('abort', unsubscribe, { once: true });

  try {
    do {
      overflowed = false;
      for await (const event of log.replay(scope, sessionId, cursor)) {
        if (signal.aborted) return;
        // Only trimming makes a hole: the log itself has none.
        if (event.seq > cursor + 1) onReset(event.seq);
        deliver(event);
        await ready();
      }
      // What was dropped meanwhile is durable: the next pass has it.
    } while (overflowed && !signal.aborted);
  } catch (error) {
    unsubscribe();
    throw error;
  }
  for (const event of early) deliver(event);
  replaying = false;
  early = [];
  onCaughtUp(cursor);
}
