import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { MongoError } from '../errors';

export interface Entry {
  key: Buffer;
  value: Buffer;
}

/** What a write may do inside its transaction. Reads see the transaction's own writes. */
export interface WriteTransaction {
  put(key: Buffer, value: Buffer): void;
  remove(key: Buffer): void;
  /** Runs once the transaction is committed, before anyone is told: the place for in-memory bookkeeping. */
  onCommit(action: () => void): void;
  /** Undoes in-memory changes made during the transaction when it fails as a whole. */
  onRollback(action: () => void): void;
}

interface PendingWrite {
  run: (transaction: WriteTransaction) => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** Address space, not disk: the file grows with its content. */
const MAP_BYTES = 64 * 1024 ** 3;
/** LMDB: abortable, committed on return, but not flushed; `flush` does that for all commits since the last. */
const COMMIT_WITHOUT_FLUSH: number = 0x10003;
/** One transaction takes no more writes after this long, so that reads get their turn. */
const BATCH_MS = 8;

/** The parts of LMDB that its type declarations leave out. */
interface Flushable {
  env: { sync(done: (error?: Error | null) => void): void };
}

/**
 * The one LMDB environment. Writes are queued and run in order; all that arrived in one turn of the event loop share
 * one transaction (group commit). A write resolves when its commit is in the page cache, so it survives the death of
 * this process; `flush` makes it survive the machine's.
 */
export class Store {
  private readonly db: RootDatabase<Buffer, Buffer>;
  private queue: PendingWrite[] = [];
  private draining = false;
  private dirty = false;
  private flushing: Promise<void> | undefined;

  constructor(dir: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.db = open<Buffer, Buffer>({
      path: join(dir, 'data'),
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      mapSize: MAP_BYTES,
      overlappingSync: false,
    });
  }

  get(key: Buffer): Buffer | undefined {
    return this.db.get(key);
  }

  /** Up to `limit` entries of [start, end), in key order or reversed; read at once, so no cursor stays open. */
  range(start: Buffer, end: Buffer, limit: number, reverse = false): Entry[] {
    if (Buffer.compare(start, end) >= 0) return [];
    if (!reverse) return [...this.db.getRange({ start, end, limit })];
    return [
      ...this.db.getRange({ start: end, end: start, limit, reverse: true, exclusiveStart: true, inclusiveEnd: true }),
    ];
  }

  count(start: Buffer, end: Buffer): number {
    return this.db.getKeysCount({ start, end });
  }

  /** Runs `write` in a transaction and resolves with its result after the commit. A `MongoError` it throws must come before its first put. */
  write<T>(write: (transaction: WriteTransaction) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.queue.push({ run: write, resolve: resolve as (value: unknown) => void, reject });
      if (!this.draining) {
        this.draining = true;
        setImmediate(() => this.drain());
      }
    });
  }

  /** Resolves when everything committed before the call is on disk. */
  async flush(): Promise<void> {
    while (this.flushing) await this.flushing;
    if (!this.dirty) return;
    this.dirty = false;
    this.flushing = new Promise<void>((resolve, reject) => {
      (this.db as unknown as Flushable).env.sync((error) => (error ? reject(error) : resolve()));
    }).finally(() => (this.flushing = undefined));
    try {
      await this.flushing;
    } catch (error) {
      this.dirty = true;
      throw error;
    }
  }

  async close(): Promise<void> {
    while (this.queue.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    await this.flush();
    await this.db.close();
  }

  private drain(): void {
    const batch = this.queue;
    this.queue = [];
    try {
      this.commit(batch);
    } catch (error) {
      // One write broke the shared transaction: nothing of it was stored, so each gets a transaction of its own.
      if (batch.length === 1) batch[0]?.reject(error);
      else for (const write of batch) this.commitAlone(write);
    }
    if (this.queue.length > 0) setImmediate(() => this.drain());
    else this.draining = false;
  }

  private commitAlone(write: PendingWrite): void {
    try {
      this.commit([write]);
    } catch (error) {
      write.reject(error);
    }
  }

  private commit(batch: readonly PendingWrite[]): void {
    const settle: (() => void)[] = [];
    const bookkeeping: (() => void)[] = [];
    const rollback: (() => void)[] = [];
    const transaction: WriteTransaction = {
      put: (key, value) => this.db.putSync(key, value),
      remove: (key) => this.db.removeSync(key),
      onCommit: (action) => bookkeeping.push(action),
      onRollback: (action) => rollback.unshift(action),
    };
    const deadline = performance.now() + BATCH_MS;
    let done = 0;
    try {
      this.db.transactionSync(() => {
        for (const { run, resolve, reject } of batch) {
          try {
            const result = run(transaction);
            settle.push(() => resolve(result));
          } catch (error) {
            if (!(error instanceof MongoError)) throw error;
            settle.push(() => reject(error));
          }
          done++;
          if (performance.now() > deadline) break;
        }
      }, COMMIT_WITHOUT_FLUSH);
    } catch (error) {
      for (const action of rollback) action();
      throw error;
    }
    this.dirty = true;
    this.queue = [...batch.slice(done), ...this.queue];
    for (const action of bookkeeping) action();
    for (const action of settle) action();
  }
}
