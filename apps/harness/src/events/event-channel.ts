import { type EventItem } from '@reins/shared/link/events';
import { type EventsAck, type EventsPush, type Welcome } from '@reins/shared/link/frames';
import { LINK } from '@reins/shared/link/limits';
import { type Clock, isoTime, systemClock } from '@reins/shared/util/clock';
import { LinkDown, LinkRefusal } from '../link/link-errors';
import { describeError, type Logger } from '../log/logger';
import { type Batch, Outbox } from './outbox';
import { SpoolStore } from './spool-store';

/** An event that has no number yet. */
export interface NewEvent {
  turnId?: string;
  generation?: number;
  /** When it came about; now, unless an earlier process has noted it. */
  at?: string;
  type: string;
  data: Record<string, unknown>;
}

export interface EventChannelOptions {
  sessionId: string;
  directory: string;
  /** Sends one frame; rejects with LinkDown, LinkTimeout or LinkRefusal. */
  push: (body: EventsPush) => Promise<EventsAck>;
  /** Events of these turns were refused: somebody else has them now. */
  onFenced: (turnIds: string[]) => void;
  /** The controller asks for events that are gone; a new hello must name what is left. */
  onLost: () => void;
  /** False while it is not known whether the session's turns are still ours; nothing is sent then (self-fence). */
  maySend: () => boolean;
  log: Logger;
  clock?: Clock;
  /** Unacknowledged bytes at which `publish` makes its caller wait. */
  spoolBytes?: number;
  /** The number of the first event; above 1 where this incarnation has sent events of the session before. */
  firstNumber?: number;
}

const STUCK_DELAY_MS = 250;
/** How large adjacent pieces of text may grow while they wait without a number. */
const COALESCE_BYTES = 16 * 1024;
const COALESCED_TYPES: ReadonlySet<string> = new Set(['text', 'thinking']);

/** The events of one session on their way to the controller: numbered, spooled, batched, acknowledged. */
export class EventChannel {
  private readonly outbox: Outbox;
  private readonly store: SpoolStore;
  private readonly clock: Clock;
  private readonly spoolBytes: number;
  private open = false;
  private resting = false;
  private tail: { event: NewEvent; text: string } | undefined;
  private readonly waiters: { until: () => boolean; resolve: () => void }[] = [];

  constructor(private readonly options: EventChannelOptions) {
    this.clock = options.clock ?? systemClock;
    this.spoolBytes = options.spoolBytes ?? LINK.spoolBytes;
    const { firstNumber = 1 } = options;
    const limits = { batchBytes: LINK.batchBytes, batchEvents: LINK.batchEvents };
    this.outbox = new Outbox(LINK.creditBytes, limits, firstNumber);
    this.store = new SpoolStore({
      firstNumber,
      directory: options.directory,
      onDiskError: (error) =>
        options.log.error('events cannot be spooled to disk and stay in memory', { reason: describeError(error) }),
    });
  }

  /** What hello says about this session's events. */
  get out(): { next: number; spooledFrom: number } {
    return { next: this.outbox.next, spooledFrom: this.outbox.oldest };
  }

  /** Events that are not acknowledged. */
  get depth(): number {
    return this.outbox.count + (this.tail === undefined ? 0 : 1);
  }

  /**
   * Takes an event. Resolves at once while there is room; above the spool's size it resolves when acknowledgements
   * have made room, and that wait is what stops a driver from reading on. The answer is the event's number, or
   * undefined where its text waits to be joined with what follows.
   */
  async publish(event: NewEvent): Promise<number | undefined> {
    if (this.outbox.unacknowledgedBytes >= this.spoolBytes) {
      await this.until(() => this.outbox.unacknowledgedBytes < this.spoolBytes);
    }
    if (this.coalesced(event)) return undefined;
    this.flushTail();
    const n = this.append(event);
    this.pump();
    return n;
  }

  /** A connection stands and both sides agreed where to go on. */
  resume(acked: number, credit: number, limits: Welcome['limits']): void {
    this.outbox.resume(acked, credit, limits);
    this.store.release(this.outbox.oldest - 1);
    this.open = true;
    this.settled();
  }

  /** The connection is gone; events are kept. */
  suspend(): void {
    this.open = false;
  }

  setCredit(credit: number): void {
    this.outbox.setCredit(credit);
    this.settled();
  }

  /** Sends what waits, when `maySend` may have changed. */
  kick(): void {
    this.pump();
  }

  /** Resolves when every event up to this number (default: every event there is) has been acknowledged. */
  async acknowledged(n?: number): Promise<void> {
    this.flushTail();
    const last = n ?? this.outbox.next - 1;
    this.pump();
    await this.until(() => this.outbox.oldest > last);
  }

  /** What the controller has not acknowledged stays on disk or is forgotten. */
  close(unsent: 'kept' | 'forgotten' = 'forgotten'): void {
    this.open = false;
    this.flushTail();
    this.store.close(unsent === 'kept' && !this.outbox.isEmpty);
  }

  private append(event: NewEvent): number {
    const item: EventItem = { n: this.outbox.next, at: isoTime(this.clock.now()), ...event };
    const json = JSON.stringify(item);
    this.store.append(item, json);
    return this.outbox.append(Buffer.byteLength(json));
  }

  /** Out of credit adjacent text becomes one event, so that a backlog costs the text and not its pieces. */
  private coalesced(event: NewEvent): boolean {
    if (!this.outbox.outOfCredit || !COALESCED_TYPES.has(event.type) || typeof event.data.text !== 'string')
      return false;
    const { tail } = this;
    if (tail?.event.type === event.type && tail.event.turnId === event.turnId && fits(tail.text, event.data.text)) {
      tail.text += event.data.text;
      return true;
    }
    this.flushTail();
    this.tail = { event, text: event.data.text };
    return true;
  }

  private flushTail(): void {
    const { tail } = this;
    if (tail === undefined) return;
    this.tail = undefined;
    this.append({ ...tail.event, data: { ...tail.event.data, text: tail.text } });
  }

  private settled(): void {
    if (!this.outbox.outOfCredit) this.flushTail();
    for (let i = this.waiters.length - 1; i >= 0; i--) {
      if (this.waiters[i]?.until() === true) this.waiters.splice(i, 1)[0]?.resolve();
    }
    this.pump();
  }

  private pump(): void {
    if (!this.open || this.resting || !this.options.maySend()) return;
    const batch = this.outbox.nextBatch();
    if (batch !== undefined) void this.send(batch);
  }

  private async send(batch: Batch): Promise<void> {
    const items: EventItem[] = [];
    for (let n = batch.from; n <= batch.to; n++) items.push(this.store.read(n));
    const body: EventsPush = { sessionId: this.options.sessionId, from: batch.from, items };
    try {
      this.taken(batch, await this.options.push(body));
    } catch (error) {
      this.failed(batch, error);
    }
    this.settled();
  }

  private taken(batch: Batch, ack: EventsAck): void {
    if ('expect' in ack) {
      this.options.log.debug('the controller expects another event', { expect: ack.expect, from: batch.from });
      const verdict = this.outbox.answer(batch.sending, { kind: 'expect', n: ack.expect });
      if (verdict === 'lost') this.options.onLost();
      if (verdict !== 'moved') this.rest(STUCK_DELAY_MS);
      return;
    }
    const verdict = this.outbox.answer(batch.sending, { kind: 'acked', acked: ack.acked, credit: ack.credit });
    this.store.release(this.outbox.oldest - 1);
    if (verdict === 'stuck') this.rest(STUCK_DELAY_MS);
    if (ack.fenced !== undefined && ack.fenced.length > 0) this.options.onFenced(ack.fenced);
  }

  private failed(batch: Batch, error: unknown): void {
    if (error instanceof LinkRefusal && (error.code === 'frame_too_large' || error.code === 'frame_invalid')) {
      const verdict = this.outbox.answer(batch.sending, { kind: 'refused' });
      if (verdict === 'poison') this.giveUp(batch.from, error);
      return;
    }
    this.outbox.answer(batch.sending, { kind: 'unknown' });
    if (error instanceof LinkRefusal) this.rest(error.retryAfterMs ?? STUCK_DELAY_MS);
    if (error instanceof LinkDown) this.suspend();
    this.options.log.debug('events go again', { from: batch.from, reason: describeError(error) });
  }

  /** An event the controller will never take must not stop the ones behind it; its number carries the reason instead. */
  private giveUp(n: number, error: LinkRefusal): void {
    const { type, turnId, generation, at } = this.store.read(n);
    const message = `an event of type ${type} was refused by the controller (${error.message})`;
    this.options.log.error(message, { turnId });
    const item: EventItem = { n, at, type: 'log', data: { level: 'error', message } };
    if (turnId !== undefined) item.turnId = turnId;
    if (generation !== undefined) item.generation = generation;
    this.store.replace(item);
    this.outbox.resize(n, Buffer.byteLength(JSON.stringify(item)));
    this.rest(STUCK_DELAY_MS);
  }

  private rest(ms: number): void {
    this.resting = true;
    void this.clock.sleep(ms).then(() => {
      this.resting = false;
      this.pump();
    });
  }

  private until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push({ until: condition, resolve }));
  }
}

function fits(waiting: string, more: string): boolean {
  return waiting.length + more.length <= COALESCE_BYTES;
}
