import { type Clock, systemClock } from '@reins/shared/util';
import { type OrgScope } from '../access/principal';
import { LogEvent, type NewEvent } from './log-event';
import { type SegmentDocument, segmentId } from './segment.schema';
import { type LogTail } from './segments.repository';

/** A push of a harness: `from` is the number of its first event. */
export interface HarnessCursor {
  incarnation: string;
  from: number;
}

export type AppendResult =
  /** `acked`: the last number of the harness that is durable or was given up. */
  | { seqTo: number; acked: number }
  /** The harness skipped numbers; it must send again from `expect`. */
  | { expect: number };

/** Where a harness's event was refused there is null: it has no place in the log, but its number is used up. */
export type AppendedEvents = readonly (NewEvent | null)[];

interface Append {
  events: AppendedEvents;
  source: HarnessCursor | undefined;
  /** Set while the append is part of a segment under way. */
  result?: AppendResult;
  resolve: (result: AppendResult) => void;
  reject: (error: unknown) => void;
}

interface SessionQueue {
  scope: OrgScope;
  sessionId: string;
  appends: Append[];
  tail: LogTail | undefined;
  /** When the tail was known to be true, on the monotonic clock. */
  tailAt: number;
}

export interface SegmentStore {
  tail(scope: OrgScope, sessionId: string): Promise<LogTail>;
  /** Durable when it resolves, except for the returned ids, which another writer had taken. */
  insertAll(segments: SegmentDocument[]): Promise<Set<string>>;
}

interface Prepared {
  queue: SessionQueue;
  appends: Append[];
  segment: SegmentDocument | undefined;
  events: LogEvent[];
  tail: LogTail;
}

/**
 * Numbers events and stores them by group commit: while one bulk write is under way, the appends of all sessions gather
 * into the next. Optimistic: a segment is built on the tail this process knows; where another process was faster the
 * primary key refuses it, the tail is read anew and the segment is built again, numbers of the harness compared again.
 */
export class LogWriter {
  private readonly queues = new Map<string, SessionQueue>();
  private waiting = new Set<SessionQueue>();
  private running: Promise<void> | undefined;

  constructor(
    private readonly store: SegmentStore,
    /** Told of every durable event, in order, before its append resolves. */
    private readonly onDurable: (scope: OrgScope, sessionId: string, events: readonly LogEvent[]) => void,
    /** How long a tail is relied on. Another controller may write meanwhile, and what it wrote first may be trimmed. */
    private readonly tailValidMs: () => number = () => Infinity,
    private readonly clock: Pick<Clock, 'monotonic'> = systemClock,
  ) {}

  append(scope: OrgScope, sessionId: string, events: AppendedEvents, source?: HarnessCursor): Promise<AppendResult> {
    const queue = this.queueOf(scope, sessionId);
    return new Promise((resolve, reject) => {
      queue.appends.push({ events, source, resolve, reject });
      this.waiting.add(queue);
      this.running ??= this.run();
    });
  }

  /** The tail this process knows, read from the store where it knows none. */
  async tail(scope: OrgScope, sessionId: string): Promise<LogTail> {
    const queue = this.queueOf(scope, sessionId);
    if (this.isKnown(queue)) return queue.tail;
    return this.readTail(queue);
  }

  /** What is known of the session's tail may be wrong: it is read again before anything is built on it. */
  doubtOne(sessionId: string): void {
    const queue = this.queues.get(sessionId);
    if (queue !== undefined) queue.tail = undefined;
  }

  /** The same for all sessions. */
  doubt(): void {
    for (const queue of this.queues.values()) queue.tail = undefined;
  }

  /** Forgets a session nothing happens in; its tail is read again when needed. */
  forget(sessionId: string): void {
    const queue = this.queues.get(sessionId);
    if (queue !== undefined && queue.appends.length === 0) this.queues.delete(sessionId);
  }

  /** Resolves when everything appended so far is durable or refused. */
  async flush(): Promise<void> {
    while (this.running !== undefined) await this.running;
  }

  private isKnown(queue: SessionQueue): queue is SessionQueue & { tail: LogTail } {
    return queue.tail !== undefined && this.clock.monotonic() - queue.tailAt <= this.tailValidMs();
  }

  private async readTail(queue: SessionQueue): Promise<LogTail> {
    return this.note(queue, await this.store.tail(queue.scope, queue.sessionId));
  }

  private note(queue: SessionQueue, tail: LogTail): LogTail {
    queue.tail = tail;
    queue.tailAt = this.clock.monotonic();
    return tail;
  }

  private queueOf(scope: OrgScope, sessionId: string): SessionQueue {
    let queue = this.queues.get(sessionId);
    if (queue === undefined) {
      queue = { scope, sessionId, appends: [], tail: undefined, tailAt: 0 };
      this.queues.set(sessionId, queue);
    }
    return queue;
  }

  private async run(): Promise<void> {
    while (this.waiting.size > 0) {
      const queues = [...this.waiting];
      this.waiting = new Set();
      const taken = queues.map((queue) => ({ queue, appends: queue.appends.splice(0) }));
      try {
        await this.commit(taken);
      } catch (error) {
        // Whether the write happened is unknown: the tail is read again before anything else is built on it.
        for (const { queue, appends } of taken) {
          queue.tail = undefined;
          for (const append of appends) append.reject(error);
        }
      }
    }
    // In the same tick as the last look at `waiting`, so that no append can slip in between.
    this.running = undefined;
  }

  private async commit(taken: { queue: SessionQueue; appends: Append[] }[]): Promise<void> {
    const tails = await Promise.all(
      taken.map(async ({ queue }) => (this.isKnown(queue) ? queue.tail : this.readTail(queue))),
    );
    const prepared = taken.map(({ queue, appends }, index) => prepare(queue, appends, tails[index] as LogTail));
    const segments = prepared.flatMap(({ segment }) => (segment === undefined ? [] : [segment]));
    const refused = segments.length === 0 ? new Set<string>() : await this.store.insertAll(segments);
    for (const { queue, appends, segment, events, tail } of prepared) {
      if (segment !== undefined && refused.has(segment._id)) {
        queue.tail = undefined;
        queue.appends.unshift(...appends);
        this.waiting.add(queue);
        continue;
      }
      this.note(queue, tail);
      if (events.length > 0) this.onDurable(queue.scope, queue.sessionId, events);
      for (const append of appends) append.resolve(append.result as AppendResult);
    }
  }
}

/** Numbers the appends on top of the tail. Pure but for the result it leaves in each append. */
function prepare(queue: SessionQueue, appends: Append[], before: LogTail): Prepared {
  const events: LogEvent[] = [];
  const tail = { ...before };
  for (const append of appends) {
    const { source } = append;
    let fresh = append.events;
    if (source !== undefined) {
      const known = tail.incarnation === source.incarnation ? tail.n : 0;
      if (source.from > known + 1) {
        append.result = { expect: known + 1 };
        continue;
      }
      fresh = append.events.slice(known + 1 - source.from);
      tail.incarnation = source.incarnation;
      tail.n = Math.max(known, source.from + append.events.length - 1);
    }
    for (const event of fresh) if (event !== null) events.push(LogEvent.of(++tail.seqTo, event));
    append.result = { seqTo: tail.seqTo, acked: tail.n };
  }
  return {
    queue,
    appends,
    events,
    tail,
    segment: events.length === 0 ? undefined : segmentOf(queue, before, tail, events),
  };
}

function segmentOf(queue: SessionQueue, before: LogTail, tail: LogTail, events: readonly LogEvent[]): SegmentDocument {
  const lines = events.map(({ json }) => json);
  return {
    _id: segmentId(queue.sessionId, before.seqTo + 1),
    orgId: queue.scope.orgId,
    sessionId: queue.sessionId,
    seqFrom: before.seqTo + 1,
    seqTo: tail.seqTo,
    incarnation: tail.incarnation,
    n: tail.n,
    lines,
    sizeBytes: lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0),
  };
}
