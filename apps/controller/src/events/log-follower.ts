import { type OrgScope } from '../access/principal';
import { type EventLog } from './event-log';
import { type LogEvent } from './log-event';

export interface FollowOptions {
  scope: OrgScope;
  sessionId: string;
  /** Number of the last event the follower has. */
  after: number;
  onEvent: (event: LogEvent) => void;
  /** The cursor points before what is kept: the follower has to start from `firstSeq`. */
  onReset: (firstSeq: number) => void;
  /** The replay is over; what comes now is live. */
  onCaughtUp: (tail: number) => void;
  signal: AbortSignal;
}

/**
 * Gives a follower every event after its cursor, once and in order: subscribes first, replays what is stored, then drops
 * from the live ones what the replay had. Resolves when the replay is done; live events go on until the signal aborts.
 */
export async function followLog(log: EventLog, options: FollowOptions): Promise<void> {
  const { scope, sessionId, onEvent, onReset, onCaughtUp, signal } = options;
  let cursor = options.after;
  let replaying = true;
  let early: LogEvent[] = [];

  const deliver = (event: LogEvent): void => {
    if (event.seq <= cursor) return;
    cursor = event.seq;
    onEvent(event);
  };
  const unsubscribe = log.subscribe(sessionId, (events) => {
    if (replaying) early.push(...events);
    else for (const event of events) deliver(event);
  });
  signal.addEventListener('abort', unsubscribe, { once: true });

  try {
    for await (const event of log.replay(scope, sessionId, cursor)) {
      if (signal.aborted) return;
      // Only trimming makes a hole: the log itself has none.
      if (event.seq > cursor + 1) onReset(event.seq);
      deliver(event);
    }
  } catch (error) {
    unsubscribe();
    throw error;
  }
  for (const event of early) deliver(event);
  replaying = false;
  early = [];
  onCaughtUp(cursor);
}
