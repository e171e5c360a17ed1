import { WriteBuffer } from './write-buffer';

describe('WriteBuffer', () => {
  it('gathers what comes while a write is under way into the next one', async () => {
    const writes: number[][] = [];
    let release: () => void = () => undefined;
    const buffer = new WriteBuffer<number>((documents) => {
      writes.push(documents);
      return new Promise((resolve) => (release = resolve));
    }, 100);
    buffer.push(1);
    const flushed = buffer.flush();
    for (const document of [2, 3, 4]) {
      buffer.push(document);
      void buffer.flush();
    }
    release();
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    release();
    await flushed;
    expect(writes).toEqual([[1], [2, 3, 4]]);
  });

  it('keeps what could not be written, in order, for the next flush', async () => {
    const written: number[] = [];
    let away = true;
    const buffer = new WriteBuffer<number>(async (documents) => {
      if (away) throw new Error('the database is away');
      written.push(...documents);
    }, 100);
    buffer.push(1);
    buffer.push(2);
    await expect(buffer.flush()).rejects.toThrow('away');
    buffer.push(3);
    away = false;
    await buffer.flush();
    expect(written).toEqual([1, 2, 3]);
  });

  it('gives the oldest up rather than the memory', async () => {
    const written: number[] = [];
    const buffer = new WriteBuffer<number>(async (documents) => void written.push(...documents), 3);
    expect([1, 2, 3, 4, 5].map((document) => buffer.push(document))).toEqual([true, true, true, false, false]);
    await buffer.flush();
    expect(written).toEqual([3, 4, 5]);
  });
});
