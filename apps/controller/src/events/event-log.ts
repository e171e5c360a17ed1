import { Injectable } from '@nestjs/common';
import { type OrgScope } from '../access/principal';
import { Metrics } from '../metrics/metrics';
import { LogEvent, type NewEvent } from './log-event';
import { type AppendedEvents, type AppendResult, type HarnessCursor, LogWriter, type SegmentStore } from './log-writer';
import { type LogTail, SegmentsRepository } from './segments.repository';

export type LogListener = (events: readonly LogEvent[]) => void;

/** One page of a session's log. */
export interface LogPage {
  events: LogEvent[];
  /** Number of the oldest event that is kept; a cursor before it has lost something. */
  firstSeq: number;
}

const SEGMENTS_PER_READ = 64;

/** The durable, ordered log of every session. Everything that tells what happened reads it. */
@Injectable()
export class EventLog {
  private readonly listeners = new Map<string, Set<LogListener>>();
  private readonly everywhere = new Set<(sessionId: string, events: readonly LogEvent[]) => void>();
  private readonly writer: LogWriter;

  constructor(
    private readonly segments: SegmentsRepository,
    metrics: Metrics,
  ) {
    const stored = metrics.counter('reins_events_stored_total', 'Events that became durable');
    const writes = metrics.counter('reins_event_writes_total', 'Bulk writes that made them durable');
    const store: SegmentStore = {
      tail: (scope, sessionId) => segments.tail(scope, sessionId),
      insertAll: (documents) => {
        writes.inc();
        return segments.insertAll(documents);
      },
    };
    this.writer = new LogWriter(store, (_scope, sessionId, events) => {
      stored.inc(events.length);
      this.publish(sessionId, events);
    });
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

  /** Told of every event of a session that becomes durable from now on, in order. Returns the unsubscribe function. */
  subscribe(sessionId: string, listener: LogListener): () => void {
    const listeners = this.listeners.get(sessionId) ?? new Set();
    this.listeners.set(sessionId, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.listeners.delete(sessionId);
    };
  }

  /** Told of the durable events of all sessions this controller writes. */
  subscribeAll(listener: (sessionId: string, events: readonly LogEvent[]) => void): () => void {
    this.everywhere.add(listener);
    return () => this.everywhere.delete(listener);
  }

  async retain(scope: OrgScope, sessionId: string, until: Date): Promise<void> {
    await this.segments.expireAll(scope, sessionId, until);
    this.writer.forget(sessionId);
  }

  async trim(scope: OrgScope, sessionId: string, maxBytes: number): Promise<void> {
    await this.segments.trim(scope, sessionId, maxBytes);
  }

  /** Resolves when everything appended so far is durable. */
  flush(): Promise<void> {
    return this.writer.flush();
  }

  private publish(sessionId: string, events: readonly LogEvent[]): void {
    for (const listener of this.everywhere) listener(sessionId, events);
    for (const listener of this.listeners.get(sessionId) ?? []) listener(events);
  }
}
