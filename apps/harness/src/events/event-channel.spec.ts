import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EventsAck, type EventsPush } from '@reins/shared/link/frames';
import { LinkDown, LinkRefusal, LinkTimeout } from '../link/link-errors';
import { createLogger, Secrets } from '../log/logger';
import { EventChannel } from './event-channel';

const LIMITS = { frameBytes: 262_144, batchBytes: 32_768, batchEvents: 64, inlineBytes: 65_536 };
const log = createLogger({ level: 'error', secrets: new Secrets(), write: () => undefined });

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'reins-channel-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A receiver by the protocol whose answers a test may replace. */
function receiver(spoolBytes?: number): {
  channel: EventChannel;
  frames: EventsPush[];
  log: { n: number; type: string; data: Record<string, unknown> }[];
  next: ((body: EventsPush) => Promise<EventsAck>)[];
  fenced: string[];
  gate: { open: boolean };
} {
  const frames: EventsPush[] = [];
  const kept: { n: number; type: string; data: Record<string, unknown> }[] = [];
  const next: ((body: EventsPush) => Promise<EventsAck>)[] = [];
  const fenced: string[] = [];
  const gate = { open: true };
  const take = async (body: EventsPush): Promise<EventsAck> => {
    if (body.from > kept.length + 1) return { expect: kept.length + 1 };
    for (const { n, type, data } of body.items) if (n === kept.length + 1) kept.push({ n, type, data });
    return { acked: kept.length, credit: 100_000 };
  };
  const channel = new EventChannel({
    sessionId: 's',
    directory,
    log,
    onFenced: (turns) => fenced.push(...turns),
    onLost: () => undefined,
    maySend: () => gate.open,
    push: async (body) => {
      frames.push(body);
      await Promise.resolve();
      return (next.shift() ?? take)(body);
    },
    ...(spoolBytes === undefined ? {} : { spoolBytes }),
  });
  return { channel, frames, log: kept, next, fenced, gate };
}

const text = (value: string, turnId = 't'): Parameters<EventChannel['publish']>[0] => ({
  turnId,
  generation: 1,
  type: 'text',
  data: { text: value },
});

describe('EventChannel', () => {
  it('sends the first event in the same tick and the rest in full batches', async () => {
    const { channel, frames, log: kept } = receiver();
    channel.resume(0, 100_000, LIMITS);
    for (let i = 0; i < 100; i++) void channel.publish(text(`${i}`));
    expect(frames.length).toBe(1);
    await channel.acknowledged();
    expect(frames.map(({ items }) => items.length)).toEqual([1, 64, 35]);
    expect(kept.map(({ data }) => data.text)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
    channel.close();
  });

  it('sends the same numbers again when no answer came', async () => {
    const { channel, frames, log: kept, next } = receiver();
    next.push(() => Promise.reject(new LinkTimeout('events')));
    channel.resume(0, 100_000, LIMITS);
    await channel.publish(text('a'));
    await channel.acknowledged();
    expect(frames.map(({ from }) => from)).toEqual([1, 1]);
    expect(kept.length).toBe(1);
    channel.close();
  });

  it('waits for the next welcome when the connection is gone, and goes on behind what arrived', async () => {
    const { channel, frames, log: kept, next } = receiver();
    channel.resume(0, 100_000, LIMITS);
    next.push(async (body) => {
      kept.push(...body.items);
      throw new LinkDown();
    });
    await channel.publish(text('a'));
    await channel.publish(text('b'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(frames.length).toBe(1);
    channel.resume(1, 100_000, LIMITS);
    await channel.acknowledged();
    expect(kept.map(({ data }) => data.text)).toEqual(['a', 'b']);
    channel.close();
  });

  it('halves a frame that is too large and replaces the one event that never passes', async () => {
    const { channel, log: kept, next } = receiver();
    for (const value of ['a', 'b', 'c', 'd']) await channel.publish(text(value));
    const refuse = async (): Promise<EventsAck> => Promise.reject(new LinkRefusal('frame_too_large', 'too large'));
    next.push(refuse, refuse, refuse);
    channel.resume(0, 100_000, LIMITS);
    await channel.acknowledged();
    expect(kept.map(({ n, type }) => [n, type])).toEqual([
      [1, 'log'],
      [2, 'text'],
      [3, 'text'],
      [4, 'text'],
    ]);
    channel.close();
  });

  it('tells whose events were refused', async () => {
    const { channel, next, fenced } = receiver();
    next.push(async () => ({ acked: 1, credit: 100_000, fenced: ['t'] }));
    channel.resume(0, 100_000, LIMITS);
    await channel.publish(text('a'));
    await channel.acknowledged();
    expect(fenced).toEqual(['t']);
    channel.close();
  });

  it('joins text while there is no credit, but never across turns or another event', async () => {
    const { channel, log: kept } = receiver();
    channel.setCredit(0);
    for (const value of ['a', 'b', 'c']) await channel.publish(text(value));
    await channel.publish({ turnId: 't', generation: 1, type: 'usage', data: { tokensIn: 1, tokensOut: 1 } });
    await channel.publish(text('d'));
    await channel.publish(text('e', 'u'));
    await channel.publish(text('f', 'u'));
    channel.resume(0, 100_000, LIMITS);
    await channel.acknowledged();
    expect(kept.map(({ type, data }) => data.text ?? type)).toEqual(['abc', 'usage', 'd', 'ef']);
    channel.close();
  });

  it('makes its caller wait when the spool is full and loses nothing', async () => {
    const { channel, log: kept } = receiver(5_000);
    let published = 0;
    const writing = (async (): Promise<void> => {
      for (let i = 0; i < 100; i++) {
        await channel.publish({ turnId: 't', type: 'tool_result', data: { id: `${i}`, output: 'x'.repeat(100) } });
        published++;
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(published).toBeLessThan(60);
    channel.resume(0, 100_000, LIMITS);
    await writing;
    await channel.acknowledged();
    expect(kept.map(({ data }) => data.id)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
    channel.close();
  });

  it('sends nothing while it may not', async () => {
    const { channel, frames, gate } = receiver();
    channel.resume(0, 100_000, LIMITS);
    gate.open = false;
    await channel.publish(text('a'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(frames).toEqual([]);
    gate.open = true;
    channel.kick();
    await channel.acknowledged();
    expect(frames.length).toBe(1);
    channel.close();
  });
});
