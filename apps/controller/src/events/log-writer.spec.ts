import { seededRng } from '@reins/shared/util';
import { orgScope } from '../access/principal';
import { type LogEvent, type NewEvent } from './log-event';
import { LogWriter, type SegmentStore } from './log-writer';
import { type SegmentDocument } from './segment.schema';
import { type LogTail } from './segments.repository';

const scope = orgScope('org');
const text = (value: string): NewEvent => ({ at: '2026-01-01T00:00:00.000Z', type: 'text', data: { text: value } });

/** A store in memory with the one guarantee the writer relies on: an id is taken once. */
class MemoryStore implements SegmentStore {
  readonly segments = new Map<string, SegmentDocument>();
  writes = 0;
  fail: 'before' | 'after' | undefined;

  async tail(_scope: unknown, sessionId: string): Promise<LogTail> {
    await Promise.resolve();
    const own = [...this.segments.values()].filter((segment) => segment.sessionId === sessionId);
    const last = own.sort((a, b) => b.seqFrom - a.seqFrom)[0];
    return last ?? { seqTo: 0, incarnation: null, n: 0 };
  }

  async insertAll(segments: SegmentDocument[]): Promise<Set<string>> {
    this.writes++;
    await new Promise((resolve) => setImmediate(resolve));
    const mode = this.fail;
    this.fail = undefined;
    if (mode === 'before') throw new Error('connection lost');
    const refused = segments.filter(({ _id }) => this.segments.has(_id)).map(({ _id }) => _id);
    for (const segment of segments) if (!refused.includes(segment._id)) this.segments.set(segment._id, segment);
    if (mode === 'after') throw new Error('connection lost');
    return new Set(refused);
  }

  log(sessionId: string): { seq: number; data: { text: string } }[] {
    return [...this.segments.values()]
      .filter((segment) => segment.sessionId === sessionId)
      .sort((a, b) => a.seqFrom - b.seqFrom)
      .flatMap(({ lines }) => lines.map((line) => JSON.parse(line) as { seq: number; data: { text: string } }));
  }
}

function writerOn(store: MemoryStore): { writer: LogWriter; seen: number[] } {
  const seen: number[] = [];
  const writer = new LogWriter(store, (_scope, _session, events: readonly LogEvent[]) => {
    seen.push(...events.map(({ seq }) => seq));
  });
  return { writer, seen };
}

describe('LogWriter', () => {
  it('numbers events from 1 without a gap and tells of each after it is stored', async () => {
    const store = new MemoryStore();
    const { writer, seen } = writerOn(store);
    await Promise.all([writer.append(scope, 's', [text('a'), text('b')]), writer.append(scope, 's', [text('c')])]);
    await writer.append(scope, 's', [text('d')]);
    expect(store.log('s').map(({ seq, data }) => `${seq}${data.text}`)).toEqual(['1a', '2b', '3c', '4d']);
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it('gathers what arrives during a write into the next one, for all sessions together', async () => {
    const store = new MemoryStore();
    const { writer } = writerOn(store);
    const first = writer.append(scope, 's0', [text('x')]);
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([
      first,
      ...Array.from({ length: 100 }, (_, i) => writer.append(scope, `s${i % 10}`, [text('y')])),
    ]);
    expect(store.writes).toBeLessThanOrEqual(3);
  });

  it('appends a push once, however often it is sent, and drops the part it has', async () => {
    const store = new MemoryStore();
    const { writer } = writerOn(store);
    const push = (from: number, ...values: string[]) =>
      writer.append(scope, 's', values.map(text), { incarnation: 'i', from });
    expect(await push(1, 'a', 'b')).toEqual({ seqTo: 2, acked: 2 });
    expect(await push(1, 'a', 'b')).toEqual({ seqTo: 2, acked: 2 });
    expect(await push(2, 'b', 'c')).toEqual({ seqTo: 3, acked: 3 });
    expect(await push(9, 'z')).toEqual({ expect: 4 });
    expect(store.log('s').map(({ data }) => data.text)).toEqual(['a', 'b', 'c']);
  });

  it('uses up the number of a refused event without a place in the log', async () => {
    const store = new MemoryStore();
    const { writer } = writerOn(store);
    const result = await writer.append(scope, 's', [null, text('b')], { incarnation: 'i', from: 1 });
    expect(result).toEqual({ seqTo: 1, acked: 2 });
    expect(store.log('s').map(({ data }) => data.text)).toEqual(['b']);
  });

  it('starts a new incarnation at 1', async () => {
    const store = new MemoryStore();
    const { writer } = writerOn(store);
    await writer.append(scope, 's', [text('a')], { incarnation: 'i', from: 1 });
    expect(await writer.append(scope, 's', [text('b')], { incarnation: 'j', from: 1 })).toEqual({ seqTo: 2, acked: 1 });
  });

  it.each(['before', 'after'] as const)(
    'a push sent again after a write failed %s it happened is there once',
    async (mode) => {
      const store = new MemoryStore();
      const { writer } = writerOn(store);
      store.fail = mode;
      const push = () => writer.append(scope, 's', [text('a')], { incarnation: 'i', from: 1 });
      await expect(push()).rejects.toThrow('connection lost');
      expect(await push()).toMatchObject({ acked: 1 });
      expect(store.log('s').map(({ data }) => data.text)).toEqual(['a']);
    },
  );

  it.each([1, 2, 3, 4, 5])(
    'two controllers writing one session never tear or double its log (seed %i)',
    async (seed) => {
      const rng = seededRng(seed);
      const store = new MemoryStore();
      const writers = [writerOn(store).writer, writerOn(store).writer];
      const pushes: Promise<unknown>[] = [];
      for (let i = 0; i < 60; i++) {
        const writer = writers[rng.next() < 0.5 ? 0 : 1] as LogWriter;
        pushes.push(writer.append(scope, 's', [text(`own-${i}`)]));
        if (rng.next() < 0.3) await new Promise((resolve) => setImmediate(resolve));
      }
      // The harness moves between the controllers, sending everything again each time.
      const lines = Array.from({ length: 30 }, (_, i) => text(`h-${i}`));
      for (let round = 0; round < 4; round++) {
        const writer = writers[round % 2] as LogWriter;
        pushes.push(writer.append(scope, 's', lines.slice(0, 8 * (round + 1)), { incarnation: 'i', from: 1 }));
      }
      await Promise.all(pushes);
      const log = store.log('s');
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
      const texts = log.map(({ data }) => data.text);
      expect(new Set(texts).size).toBe(texts.length);
      expect(texts.filter((value) => value.startsWith('h-'))).toEqual(
        lines.map((line) => (line.data as { text: string }).text),
      );
      expect(texts.filter((value) => value.startsWith('own-'))).toHaveLength(60);
    },
  );
});
