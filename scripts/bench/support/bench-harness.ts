import { type EventItem } from '@reins/shared/link/events';
import { type PulledTurn } from '@reins/shared/link/frames';
import { LINK } from '@reins/shared/link/limits';
import { endOf, type ScriptedHarness, textOf } from '../../../test/support/scripted-harness';
import { marked } from './http';

/** A scripted harness that counts its own events. */
export class BenchHarness {
  private next = 1;

  constructor(readonly scripted: ScriptedHarness) {}

  get sessionId(): string {
    return this.scripted.sessionId;
  }

  /** Sends one frame of events; resolves when they are durable. */
  async send(items: Omit<EventItem, 'n'>[]): Promise<void> {
    const from = this.next;
    this.next += items.length;
    const answer = await this.scripted.push(from, items);
    if (!('acked' in answer) || answer.acked !== this.next - 1) {
      throw new Error(`events ${from} to ${this.next - 1} were answered ${JSON.stringify(answer)}`);
    }
  }

  end(turn: PulledTurn): Promise<void> {
    return this.send([endOf(turn)]);
  }
}

/** About 120 bytes of text, as agents' deltas come, with a number the driver finds again. */
export function eventText(marker: number): string {
  return `${marked(marker)} ${'the quick brown fox jumps over the lazy dog '.repeat(3)}`.slice(0, 120);
}

export function markedEvent(turn: PulledTurn, marker: number): Omit<EventItem, 'n'> {
  return textOf(turn, eventText(marker));
}

/**
 * Sends as the real harness does: at once while nothing is in flight, else in full batches as acknowledgements return.
 * `send` is the frame's way to the server, ours or the floor's.
 */
export class SelfClocked<Item> {
  private readonly queue: Item[] = [];
  private flying: Promise<void> | undefined;

  constructor(private readonly send: (items: Item[]) => Promise<void>) {}

  push(item: Item): void {
    this.queue.push(item);
    this.flying ??= this.fly();
  }

  /** Resolves when everything pushed so far is acknowledged. */
  async drained(): Promise<void> {
    while (this.flying !== undefined) await this.flying;
  }

  private async fly(): Promise<void> {
    try {
      while (this.queue.length > 0) await this.send(this.queue.splice(0, LINK.batchEvents));
    } finally {
      this.flying = undefined;
    }
  }
}
