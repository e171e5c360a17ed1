import fc from 'fast-check';
import { type Batch, Outbox } from './outbox';

const LIMITS = { batchBytes: 100, batchEvents: 4 };

function outboxWith(sizes: number[], credit = 1000): Outbox {
  const outbox = new Outbox(credit, LIMITS);
  sizes.forEach((size) => outbox.append(size));
  return outbox;
}

describe('Outbox', () => {
  it('sends at once when nothing is in flight and gathers while something is', () => {
    const outbox = outboxWith([10]);
    const first = outbox.nextBatch();
    expect(first).toMatchObject({ from: 1, to: 1 });
    [10, 10, 10].forEach((size) => outbox.append(size));
    expect(outbox.nextBatch()).toBeUndefined();
    outbox.answer(first?.sending ?? 0, { kind: 'acked', acked: 1, credit: 1000 });
    expect(outbox.nextBatch()).toMatchObject({ from: 2, to: 4 });
  });

  it('closes a batch at its bytes or its events, and sends one larger event alone', () => {
    expect(outboxWith([60, 30, 20]).nextBatch()).toMatchObject({ from: 1, to: 2 });
    expect(outboxWith([1, 1, 1, 1, 1]).nextBatch()).toMatchObject({ from: 1, to: 4 });
    expect(outboxWith([500, 1]).nextBatch()).toMatchObject({ from: 1, to: 1 });
  });

  it('never has more in flight than its credit, and nothing without any', () => {
    const outbox = outboxWith([30, 30, 30], 70);
    expect(outbox.nextBatch()).toMatchObject({ from: 1, to: 2 });
    expect(outbox.outOfCredit).toBe(true);
    expect(outboxWith([1], 0).nextBatch()).toBeUndefined();
  });

  it('rewinds where the receiver expects another number', () => {
    const outbox = outboxWith([40, 40, 40, 40]);
    let batch = outbox.nextBatch();
    expect(outbox.answer(batch?.sending ?? 0, { kind: 'acked', acked: 2, credit: 1000 })).toBe('moved');
    batch = outbox.nextBatch();
    expect(outbox.answer(batch?.sending ?? 0, { kind: 'expect', n: 4 })).toBe('moved');
    expect(outbox.nextBatch()).toMatchObject({ from: 4, to: 4 });
  });

  it('says so when it no longer has what is expected', () => {
    const outbox = outboxWith([1, 1]);
    let batch = outbox.nextBatch();
    outbox.answer(batch?.sending ?? 0, { kind: 'acked', acked: 2, credit: 1000 });
    outbox.append(1);
    batch = outbox.nextBatch();
    expect(outbox.answer(batch?.sending ?? 0, { kind: 'expect', n: 1 })).toBe('lost');
  });

  it('halves a refused batch down to the one event that does not pass', () => {
    const outbox = outboxWith([1, 1, 1, 1]);
    for (const to of [4, 2]) {
      const batch = outbox.nextBatch();
      expect(batch).toMatchObject({ from: 1, to });
      expect(outbox.answer(batch?.sending ?? 0, { kind: 'refused' })).toBe('moved');
    }
    const single = outbox.nextBatch();
    expect(single).toMatchObject({ from: 1, to: 1 });
    expect(outbox.answer(single?.sending ?? 0, { kind: 'refused' })).toBe('poison');
  });

  it('ignores the answer to an earlier sending', () => {
    const outbox = outboxWith([1, 1]);
    const first = outbox.nextBatch();
    outbox.answer(first?.sending ?? 0, { kind: 'unknown' });
    const second = outbox.nextBatch();
    outbox.answer(first?.sending ?? 0, { kind: 'acked', acked: 2, credit: 0 });
    expect(outbox.count).toBe(2);
    outbox.answer(second?.sending ?? 0, { kind: 'acked', acked: 2, credit: 1000 });
    expect(outbox.isEmpty).toBe(true);
    expect(outbox.unacknowledgedBytes).toBe(0);
  });
});

/** A receiver by the protocol: drops what it has, asks for what is missing, keeps the rest. */
class Receiver {
  readonly log: number[] = [];
  take(from: number, to: number): { kind: 'acked'; acked: number; credit: number } | { kind: 'expect'; n: number } {
    if (from > this.log.length + 1) return { kind: 'expect', n: this.log.length + 1 };
    for (let n = this.log.length + 1; n <= to; n++) this.log.push(n);
    return { kind: 'acked', acked: this.log.length, credit: 1000 };
  }
}

type Step = 'append' | 'deliver' | 'loseFrame' | 'loseAck' | 'reconnect' | 'lateDuplicate' | 'refuse';

describe('Outbox against a receiver by the protocol', () => {
  it('delivers every number once and in order, whatever is lost, doubled, late or cut', () => {
    const step = fc.constantFrom<Step>(
      'append',
      'append',
      'deliver',
      'loseFrame',
      'loseAck',
      'reconnect',
      'lateDuplicate',
      'refuse',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.integer({ min: 1, max: 60 })), { maxLength: 200 }), (steps) => {
        const outbox = new Outbox(1000, LIMITS);
        const receiver = new Receiver();
        const sent: Batch[] = [];
        const send = (): Batch | undefined => {
          const batch = outbox.nextBatch();
          if (batch !== undefined) sent.push(batch);
          return batch;
        };
        let appended = 0;
        for (const [what, size] of steps) {
          if (what === 'append') {
            expect(outbox.append(size)).toBe(++appended);
            continue;
          }
          if (what === 'reconnect') {
            outbox.resume(receiver.log.length, 1000, LIMITS);
            continue;
          }
          if (what === 'lateDuplicate') {
            // A frame of an earlier sending arrives once more; its answer reaches nobody or comes too late.
            const old = sent[size % Math.max(1, sent.length)];
            if (old !== undefined) outbox.answer(old.sending - 1, receiver.take(old.from, old.to));
            continue;
          }
          const batch = send();
          if (batch === undefined) continue;
          if (what === 'deliver') outbox.answer(batch.sending, receiver.take(batch.from, batch.to));
          if (what === 'loseAck') receiver.take(batch.from, batch.to);
          if (what === 'refuse') outbox.answer(batch.sending, { kind: 'refused' });
          else outbox.answer(batch.sending, { kind: 'unknown' });
        }
        outbox.resume(receiver.log.length, 1000, LIMITS);
        for (let batch = send(); batch !== undefined; batch = send()) {
          outbox.answer(batch.sending, receiver.take(batch.from, batch.to));
        }
        expect(receiver.log).toEqual(Array.from({ length: appended }, (_, i) => i + 1));
        expect(outbox.isEmpty).toBe(true);
        expect(outbox.unacknowledgedBytes).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});
