import { assertSize, decode } from '../bson/raw';
import { type Document } from '../bson/types';
import { type CollectionIndex, type IndexEntry } from '../index/collection-index';
import { afterPrefix } from '../index/key-encoding';
import { decodeRecordId, documentKey, encodeRecordId, identPrefix } from './keys';
import { type Store, type WriteTransaction } from './store';

/** A stored document: its place, its bytes, and the bytes decoded with plain numbers. */
export interface StoredDocument {
  recordId: number;
  raw: Buffer;
  document: Document;
}

/** How many entries one read of LMDB takes; between two reads a scan may pause for other work. */
const SCAN_CHUNK = 128;

/** One collection: its documents and indexes, kept in step within the caller's transaction. */
export class Collection {
  /** Ready indexes, `_id_` first. */
  indexes: CollectionIndex[];
  /** Kept up to date by writes but not yet complete, so no query uses them. */
  building: CollectionIndex[] = [];
  count: number;
  private nextRecordId: number;
  private readonly prefix: Buffer;
  private readonly end: Buffer;

  constructor(
    private readonly store: Store,
    readonly namespace: string,
    readonly ident: number,
    readonly uuid: Buffer,
    readonly options: Document,
    indexes: CollectionIndex[],
    /** Saves the catalog entry: an index has learned something about its keys. */
    private readonly saveMetadata: (transaction: WriteTransaction) => void,
  ) {
    this.indexes = indexes;
    this.prefix = identPrefix(ident);
    this.end = afterPrefix(this.prefix);
    const [last] = store.range(this.prefix, this.end, 1, true);
    this.nextRecordId = last ? decodeRecordId(last.key, 4) + 1 : 1;
    this.count = last ? store.count(this.prefix, this.end) : 0;
  }

  get database(): string {
    return this.namespace.slice(0, this.namespace.indexOf('.'));
  }

  get name(): string {
    return this.namespace.slice(this.namespace.indexOf('.') + 1);
  }

  read(recordId: number): Buffer | undefined {
    return this.store.get(documentKey(this.ident, recordId));
  }

  /** Stores a document whose `_id` comes first. Throws DuplicateKey before anything is written. */
  insert(transaction: WriteTransaction, raw: Buffer, document: Document = decode(raw)): number {
    assertSize(raw.length);
    const recordId = this.nextRecordId;
    const added = this.entriesOf(transaction, document, recordId);
    for (const [index, entries] of added) this.assertUnique(index, entries, recordId);
    this.nextRecordId++;
    for (const entries of added.values()) this.put(transaction, entries, recordId);
    transaction.put(documentKey(this.ident, recordId), raw);
    transaction.onCommit(() => this.count++);
    return recordId;
  }

  /** Puts `raw` in the place of `old`, touching only the index entries that differ. */
  replace(transaction: WriteTransaction, old: StoredDocument, raw: Buffer, document: Document = decode(raw)): void {
    assertSize(raw.length);
    const { recordId } = old;
    const before = this.entriesOf(transaction, old.document, recordId);
    const after = this.entriesOf(transaction, document, recordId);
    const removed: IndexEntry[] = [];
    const added: IndexEntry[] = [];
    for (const [index, entries] of after) {
      const previous = before.get(index) ?? [];
      const kept = new Set(previous.map(({ key }) => key.toString('latin1')));
      const next = new Set(entries.map(({ key }) => key.toString('latin1')));
      const fresh = entries.filter(({ key }) => !kept.has(key.toString('latin1')));
      this.assertUnique(index, fresh, recordId);
      added.push(...fresh);
      removed.push(...previous.filter(({ key }) => !next.has(key.toString('latin1'))));
    }
    for (const { key } of removed) transaction.remove(key);
    this.put(transaction, added, recordId);
    transaction.put(documentKey(this.ident, recordId), raw);
  }

  remove(transaction: WriteTransaction, { recordId, document }: Pick<StoredDocument, 'recordId' | 'document'>): void {
    for (const entries of this.entriesOf(transaction, document, recordId).values()) {
      for (const { key } of entries) transaction.remove(key);
    }
    transaction.remove(documentKey(this.ident, recordId));
    transaction.onCommit(() => this.count--);
  }

  /** Adds a stored document to an index that is being built. */
  addToIndex(transaction: WriteTransaction, index: CollectionIndex, recordId: number, document: Document): void {
    const entries = index.entries(document, recordId, () => undefined);
    this.assertUnique(index, entries, recordId);
    this.put(transaction, entries, recordId);
  }

  /** All documents in natural order. Resumable: it may be drained over several turns of the event loop. */
  *scan(reverse = false): Generator<{ recordId: number; raw: Buffer }> {
    for (const { key, value } of this.walk(this.prefix, this.end, reverse)) {
      yield { recordId: decodeRecordId(key, 4), raw: value };
    }
  }

  /** The record ids of an index's entries within [start, end), which exclude the index's own prefix. */
  *scanIndex(index: CollectionIndex, start: Buffer, end: Buffer | undefined, reverse: boolean): Generator<number> {
    const from = Buffer.concat([index.prefix, start]);
    const to = end ? Buffer.concat([index.prefix, end]) : afterPrefix(index.prefix);
    for (const { value } of this.walk(from, to, reverse)) yield index.recordId(value);
  }

  private *walk(start: Buffer, end: Buffer, reverse: boolean): Generator<{ key: Buffer; value: Buffer }> {
    let [from, to] = [start, end];
    for (;;) {
      const entries = this.store.range(from, to, SCAN_CHUNK, reverse);
      yield* entries;
      const last = entries.at(-1);
      if (!last || entries.length < SCAN_CHUNK) return;
      if (reverse) to = last.key;
      else from = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }

  private entriesOf(
    transaction: WriteTransaction,
    document: Document,
    recordId: number,
  ): Map<CollectionIndex, IndexEntry[]> {
    let learned = false;
    const result = new Map<CollectionIndex, IndexEntry[]>();
    for (const index of [...this.indexes, ...this.building]) {
      result.set(
        index,
        index.entries(document, recordId, () => (learned = true)),
      );
    }
    if (learned) this.saveMetadata(transaction);
    return result;
  }

  private assertUnique(index: CollectionIndex, entries: readonly IndexEntry[], recordId: number): void {
    if (!index.unique) return;
    for (const { key, values } of entries) {
      const holder = this.store.get(key);
      if (holder && index.recordId(holder) !== recordId) throw index.duplicate(this.namespace, values);
    }
  }

  private put(transaction: WriteTransaction, entries: readonly IndexEntry[], recordId: number): void {
    const value = encodeRecordId(recordId);
    for (const { key } of entries) transaction.put(key, value);
  }
}
