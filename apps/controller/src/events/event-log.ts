import { Injectable } from '@nestjs/common';
import { type OrgScope } from '../access/principal';
import { Bus } from '../bus/bus';
import { Metrics } from '../metrics/metrics';
import { Replicas } from '../replicas/replicas';
import { type Followed, FollowedSessions, type LogListener } from './followed-sessions';
import { LogEvent, type NewEvent } from './log-event';
import { LogFanout } from './log-fanout';
import { type AppendedEvents, type AppendResult, type HarnessCursor, LogWriter, type SegmentStore } from './log-writer';
import { LogTrims } from './log-trims';
import { type LogTail, SegmentsRepository } from './segments.repository';

/** One page of a session's log. */
export interface LogPage {
  events: LogEvent[];
  /** Number of the oldest event that is kept; a cursor before it has lost something. */
  firstSeq: number;
}

const SEGMENTS_PER_READ = 64;
/** What is known of a log that others may write to is asked for again after this long. */
const TAIL_VALID_MS = 2_000;
/** Followed sessions whose tails are read at the same time. */
const TAILS_AT_ONCE = 20;

/** The durable, ordered log of every session. Everything that tells what happened reads it. */
@Injectable()
export class EventLog {
  private readonly followed: FollowedSessions;
  private readonly trims = new LogTrims();
  private readonly everywhere = new Set<(sessionId: string, events: readonly LogEvent[]) => void>();
  private readonly writer: LogWriter;

  constructor(
    private readonly segments: SegmentsRepository,
    private readonly fanout: LogFanout,
    private readonly replicas: Replicas,
    bus: Bus,
    metrics: Metrics,
  ) {
    this.followed = new FollowedSessions(
      (sessionId) => fanout.follow(sessionId, bus),
      (sessionId) => fanout.unfollow(sessionId),
    );
    fanout.receive(
      (sessionId, events) => this.followed.tell(sessionId, events, true),
      (sessionId) => void this.checkOne(sessionId),
    );
    replicas.onChange(() => this.writer.doubt());
    const stored = metrics.counter('reins_events_stored_total', 'Events that became durable');
    const writes = metrics.counter('reins_event_writes_total', 'Bulk writes that made them durable');
    const store: SegmentStore = {
      tail: (scope, sessionId) => segments.tail(scope, sessionId),
      insertAll: (documents) => {
        writes.inc();
        return segments.insertAll(documents);
      },
    };
    const onDurable = (_scope: OrgScope, sessionId: string, events: readonly LogEvent[]): void => {
      stored.inc(events.length);
      this.publish(sessionId, events);
    };
    this.writer = new LogWriter(store, onDurable, () => (this.replicas.isAlone ? Infinity : TAIL_VALID_MS));
  }

  /** Appends the controller's own events; durable when it resolves. Returns the number of the last. */
  async append(scope: OrgScope, sessionId: string, events: readonly NewEvent[]): Promise<number> {
    const result = await this.writer.append(scope, sessionId, events);
    return 'seqTo' in result ? result.seqTo : 0;
  }

  /** Appends a push of a harness, once, however often it is sent. */
  appendFromHarness(
    scope: OrgScope,
    sessionId: string,
    source: HarnessCursor,
    events: AppendedEvents,
  ): Promise<AppendResult> {
    return this.writer.append(scope, sessionId, events, source);
  }

  tail(scope: OrgScope, sessionId: string): Promise<LogTail> {
    return this.writer.tail(scope, sessionId);
  }

  /** Up to `limit` events after a number. Fewer than `limit` does not mean the end: compare with the tail. */
  async read(scope: OrgScope, sessionId: string, after: number, limit: number): Promise<LogPage> {
    const segments = await this.segments.readAfter(scope, sessionId, after, SEGMENTS_PER_READ);
    const events: LogEvent[] = [];
    for (const segment of segments) {
      for (const [index, line] of segment.lines.entries()) {
        const seq = segment.seqFrom + index;
        if (seq <= after) continue;
        if (events.length === limit) return { events, firstSeq: segments[0]?.seqFrom ?? 1 };
        events.push(new LogEvent(seq, line));
      }
    }
    const oldest = events[0];
    const trimmed = oldest !== undefined && oldest.seq > after + 1;
    return { events, firstSeq: trimmed ? oldest.seq : Math.min(after + 1, segments[0]?.seqFrom ?? 1) };
  }

  /** Every event after a number, page by page, up to the tail known when the last page was read. */
  async *replay(scope: OrgScope, sessionId: string, after: number): AsyncGenerator<LogEvent> {
    let cursor = after;
    for (;;) {
      const { events } = await this.read(scope, sessionId, cursor, 1000);
      if (events.length === 0) return;
      yield* events;
      cursor = events[events.length - 1]?.seq ?? cursor;
    }
  }

  /** The tail as it is stored, also where another controller has written it. */
  async freshTail(scope: OrgScope, sessionId: string): Promise<LogTail> {
    this.writer.doubtOne(sessionId);
    return this.writer.tail(scope, sessionId);
  }

  /** For whoever is told how far the log goes: what another controller has just written counts. */
  currentTail(scope: OrgScope, sessionId: string): Promise<LogTail> {
    return this.replicas.isAlone ? this.tail(scope, sessionId) : this.freshTail(scope, sessionId);
  }

  /** The session's harness is elsewhere now: what is remembered of its log would grow old. */
  forget(sessionId: string): void {
    this.writer.forget(sessionId);
    this.fanout.forget(sessionId);
  }

  /** Told of what becomes durable in a session from now on, by whichever controller. Returns the unsubscribe function. */
  subscribe(scope: OrgScope, sessionId: string, listener: LogListener): () => void {
    return this.followed.add(scope, sessionId, listener);
  }

  /** Looks whether followed sessions have events nobody told of. For the watch over lost messages. */
  async checkFollowed(which: 'all' | 'quiet'): Promise<void> {
    const quiet = this.followed.takeQuiet();
    const sessions = which === 'all' ? this.followed.all() : quiet;
    for (let first = 0; first < sessions.length; first += TAILS_AT_ONCE) {
      await Promise.all(sessions.slice(first, first + TAILS_AT_ONCE).map((followed) => this.check(followed)));
    }
  }

  /** Told of the durable events of all sessions this controller writes. */
  subscribeAll(listener: (sessionId: string, events: readonly LogEvent[]) => void): () => void {
    this.everywhere.add(listener);
    return () => this.everywhere.delete(listener);
  }

  async retain(scope: OrgScope, sessionId: string, until: Date): Promise<void> {
    await this.segments.expireAll(scope, sessionId, until);
    this.forget(sessionId);
    this.trims.forget(sessionId);
  }

  /** Drops the oldest events beyond the size; to be called again and again. */
  async trim(scope: OrgScope, sessionId: string, maxBytes: number): Promise<void> {
    // Alone, nobody can be about to write where something was dropped.
    const upTo = this.replicas.isAlone ? undefined : this.trims.settledSeq(sessionId);
    if (!this.replicas.isAlone) {
      const { seqTo } = await this.segments.tail(scope, sessionId);
      this.trims.note(sessionId, seqTo);
      if (upTo === undefined) return;
    }
    await this.segments.trim(scope, sessionId, maxBytes, upTo);
  }

  /** Resolves when everything appended so far is durable. */
  flush(): Promise<void> {
    return this.writer.flush();
  }

  private publish(sessionId: string, events: readonly LogEvent[]): void {
    for (const listener of this.everywhere) listener(sessionId, events);
    this.followed.tell(sessionId, events, !this.replicas.isAlone);
    this.fanout.tell(sessionId, events);
  }

  /** A failure is made up for by the next look of the watch. */
  private async checkOne(sessionId: string): Promise<void> {
    const followed = this.followed.get(sessionId);
    if (followed !== undefined) await this.check(followed).catch(() => undefined);
  }

  private async check(followed: Followed): Promise<void> {
    const { seqTo } = await this.segments.tail(followed.scope, followed.sessionId);
    this.followed.tellTail(followed, seqTo);
  }
}
