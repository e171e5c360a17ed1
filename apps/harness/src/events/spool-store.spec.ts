import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpoolStore } from './spool-store';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'reins-spool-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function fill(store: SpoolStore, from: number, to: number, text = 'grüße'): void {
  for (let n = from; n <= to; n++) {
    const item = { n, at: 'now', type: 'text', data: { text: `${text} ${n}` } };
    store.append(item, JSON.stringify(item));
  }
}

const textOf = (store: SpoolStore, n: number): unknown => store.read(n).data.text;

describe('SpoolStore', () => {
  it('reads back from disk what does not fit into memory', () => {
    const store = new SpoolStore({ directory, cacheBytes: 100, segmentBytes: 500 });
    fill(store, 1, 100);
    for (let n = 1; n <= 100; n++) expect(textOf(store, n)).toBe(`grüße ${n}`);
    expect(readdirSync(directory).length).toBeGreaterThan(5);
    store.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('deletes the files of what is acknowledged and reads on in the others', () => {
    const store = new SpoolStore({ directory, cacheBytes: 0, segmentBytes: 500 });
    fill(store, 1, 100);
    const before = readdirSync(directory).length;
    store.release(60);
    expect(readdirSync(directory).length).toBeLessThan(before);
    for (let n = 61; n <= 100; n++) expect(textOf(store, n)).toBe(`grüße ${n}`);
  });

  it('does not grow while acknowledgements keep up', () => {
    const store = new SpoolStore({ directory });
    for (let n = 1; n <= 2000; n += 10) {
      fill(store, n, n + 9, 'x'.repeat(1000));
      store.release(n + 9);
    }
    expect(store.diskBytes).toBeLessThan(128 * 1024);
    expect(readdirSync(directory).length).toBe(1);
    expect(statSync(join(directory, readdirSync(directory)[0] ?? '')).size).toBeLessThan(128 * 1024);
  });

  it('keeps events in memory where the disk fails, and says so once', () => {
    const errors: unknown[] = [];
    const store = new SpoolStore({
      directory,
      cacheBytes: 0,
      segmentBytes: 300,
      onDiskError: (error) => errors.push(error),
    });
    fill(store, 1, 3);
    rmSync(directory, { recursive: true });
    fill(store, 4, 20);
    expect(errors.length).toBe(1);
    for (let n = 1; n <= 20; n++) expect(textOf(store, n)).toBe(`grüße ${n}`);
  });
});
