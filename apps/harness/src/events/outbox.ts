/** Sizes of one `events` frame, as the controller names them in its welcome. */
export interface BatchLimits {
  batchBytes: number;
  batchEvents: number;
}

export interface Batch {
  /** Names this sending; an answer to an earlier one changes nothing. */
  sending: number;
  from: number;
  to: number;
}

export type OutboxAnswer =
  | { kind: 'acked'; acked: number; credit: number }
  | { kind: 'expect'; n: number }
  /** No answer, or the connection went: whether it arrived is unknown, so the same numbers go again. */
  | { kind: 'unknown' }
  /** The frame as a whole was refused for its size or for one of its events. */
  | { kind: 'refused' };

/**
 * - `moved`: go on.
 * - `stuck`: the receiver answered without getting further; wait before the next attempt.
 * - `lost`: it asks for a number that is no longer here; only a new hello, which names the oldest one, helps.
 * - `poison`: the refused batch was a single event, which will never pass as it is.
 */
export type OutboxVerdict = 'moved' | 'stuck' | 'lost' | 'poison';

/**
 * Who has which event number of one (session, incarnation): a pure state machine without I/O. One batch is in flight at
 * a time, which keeps the order; while it is, the rest gathers into the next one.
 */
export class Outbox {
  private base: number;
  private cursor: number;
  private readonly sizes: number[] = [];
  private head = 0;
  private flight: Batch | undefined;
  private sendings = 0;
  private eventLimit: number;
  private bytes = 0;

  constructor(
    private credit: number,
    private limits: BatchLimits,
    /** Where counting starts: above 1 when this process had the session before. */
    first = 1,
  ) {
    this.base = this.cursor = first;
    this.eventLimit = limits.batchEvents;
  }

  /** The number the next event will get. */
  get next(): number {
    return this.base + this.sizes.length - this.head;
  }

  /** The oldest number that can still be sent. */
  get oldest(): number {
    return this.base;
  }

  /** Bytes of all events that are not acknowledged, sent or not. */
  get unacknowledgedBytes(): number {
    return this.bytes;
  }

  get isEmpty(): boolean {
    return this.next === this.base;
  }

  get count(): number {
    return this.next - this.base;
  }

  get outOfCredit(): boolean {
    return this.bytes >= this.credit;
  }

  /** Gives the event of this size its number. */
  append(bytes: number): number {
    const n = this.next;
    this.sizes.push(bytes);
    this.bytes += bytes;
    return n;
  }

  setCredit(credit: number): void {
    this.credit = credit;
  }

  /** What to send now; undefined while a batch is in flight, nothing waits, or there is no credit. */
  nextBatch(): Batch | undefined {
    if (this.flight !== undefined || this.cursor >= this.next || this.credit <= 0) return undefined;
    const budget = Math.min(this.limits.batchBytes, this.credit);
    let bytes = 0;
    let to = this.cursor - 1;
    while (to + 1 < this.next && to + 1 - this.cursor < this.eventLimit) {
      const size = this.sizeOf(to + 1);
      // A single event may be larger than the budget; it then goes alone.
      if (to >= this.cursor && bytes + size > budget) break;
      bytes += size;
      to++;
    }
    this.flight = { sending: ++this.sendings, from: this.cursor, to };
    this.cursor = to + 1;
    return this.flight;
  }

  /** Takes the answer to one sending. */
  answer(sending: number, answer: OutboxAnswer): OutboxVerdict {
    const flight = this.flight;
    if (flight === undefined || flight.sending !== sending) return 'moved';
    this.flight = undefined;
    switch (answer.kind) {
      case 'unknown':
        this.cursor = Math.max(flight.from, this.base);
        return 'moved';
      case 'refused': {
        const count = flight.to - flight.from + 1;
        this.cursor = flight.from;
        if (count === 1) return 'poison';
        this.eventLimit = Math.max(1, Math.floor(count / 2));
        return 'moved';
      }
      case 'expect':
        this.cursor = clamp(answer.n, this.base, this.next);
        if (answer.n < this.base) return 'lost';
        return answer.n === flight.from ? 'stuck' : 'moved';
      case 'acked':
        this.credit = answer.credit;
        this.eventLimit = Math.min(this.limits.batchEvents, this.eventLimit * 2);
        this.release(answer.acked);
        this.cursor = clamp(answer.acked + 1, this.base, flight.to + 1);
        return answer.acked < flight.from ? 'stuck' : 'moved';
    }
  }

  /** A new connection: everything after `acked` goes again. */
  resume(acked: number, credit: number, limits: BatchLimits): void {
    this.flight = undefined;
    this.credit = credit;
    this.limits = limits;
    this.eventLimit = limits.batchEvents;
    this.release(acked);
    this.cursor = this.base;
  }

  /** The event keeps its number and has another size now. */
  resize(n: number, bytes: number): void {
    this.bytes += bytes - this.sizeOf(n);
    this.sizes[this.head + n - this.base] = bytes;
  }

  private release(acked: number): void {
    const until = Math.min(acked, this.next - 1);
    while (this.base <= until) {
      this.bytes -= this.sizes[this.head] ?? 0;
      this.head++;
      this.base++;
    }
    // Shifting one by one would be quadratic on a long backlog.
    if (this.head > 1024 && this.head * 2 > this.sizes.length) {
      this.sizes.splice(0, this.head);
      this.head = 0;
    }
  }

  private sizeOf(n: number): number {
    return this.sizes[this.head + n - this.base] ?? 0;
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
