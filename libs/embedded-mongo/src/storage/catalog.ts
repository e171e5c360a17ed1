import { randomBytes } from 'node:crypto';
import { Binary, deserialize, serialize } from 'bson';
import { type Document } from '../bson/types';
import { MongoError } from '../errors';
import { CollectionIndex } from '../index/collection-index';
import { ID_INDEX_NAME, type IndexDefinition, type IndexSpec } from '../index/index-spec';
import { afterPrefix } from '../index/key-encoding';
import { Collection } from './collection';
import { CATALOG_IDENT, catalogKey, identPrefix } from './keys';
import { type Store, type WriteTransaction } from './store';

interface CatalogEntry {
  ns: string;
  ident: number;
  uuid: Binary;
  options: Document;
  indexes: IndexDefinition[];
}

const PURGE_CHUNK = 500;
const MAX_NAMESPACE_BYTES = 255;

/** Which collections and indexes exist. In memory, and on disk in the same transaction as the data they describe. */
export class Catalog {
  private readonly collections = new Map<string, Collection>();
  private nextIdent = CATALOG_IDENT + 1;

  constructor(private readonly store: Store) {
    // Idents of dropped collections that are not purged yet must not be given out again.
    const [last] = store.range(Buffer.of(0), Buffer.alloc(5, 0xff), 1, true);
    if (last) this.reserve(last.key.readUInt32BE(0));
    const prefix = identPrefix(CATALOG_IDENT);
    for (const { value } of store.range(prefix, afterPrefix(prefix), 0x7fffffff)) {
      const entry = deserialize(value, { promoteBuffers: false, bsonRegExp: true }) as unknown as CatalogEntry;
      for (const ident of [entry.ident, ...entry.indexes.map((index) => index.ident)]) this.reserve(ident);
      this.open(entry);
    }
  }

  get(namespace: string): Collection | undefined {
    return this.collections.get(namespace);
  }

  require(namespace: string): Collection {
    const collection = this.collections.get(namespace);
    if (!collection) throw new MongoError(26, `ns does not exist: ${namespace}`);
    return collection;
  }

  list(database?: string): Collection[] {
    const all = [...this.collections.values()];
    return database === undefined ? all : all.filter((collection) => collection.database === database);
  }

  databases(): string[] {
    return [...new Set(this.list().map((collection) => collection.database))].sort();
  }

  create(transaction: WriteTransaction, namespace: string, options: Document = {}): Collection {
    assertNamespace(namespace);
    const collection = this.open({
      ns: namespace,
      ident: this.nextIdent++,
      uuid: new Binary(randomBytes(16), Binary.SUBTYPE_UUID),
      options,
      indexes: [this.define({ v: 2, key: { _id: 1 }, name: ID_INDEX_NAME })],
    });
    transaction.onRollback(() => this.collections.delete(namespace));
    this.save(transaction, collection);
    return collection;
  }

  ensure(transaction: WriteTransaction, namespace: string): Collection {
    return this.collections.get(namespace) ?? this.create(transaction, namespace);
  }

  /** Forgets a collection; its entries are purged in the background. */
  drop(transaction: WriteTransaction, collection: Collection): void {
    transaction.remove(catalogKey(collection.namespace));
    this.collections.delete(collection.namespace);
    transaction.onRollback(() => this.collections.set(collection.namespace, collection));
  }

  define(spec: IndexSpec): IndexDefinition {
    return { ident: this.nextIdent++, spec, multikey: Object.keys(spec.key).map(() => false), longKeys: false };
  }

  save(transaction: WriteTransaction, collection: Collection): void {
    const { namespace: ns, ident, options, indexes } = collection;
    const entry = {
      ns,
      ident,
      uuid: new Binary(collection.uuid, 4),
      options,
      indexes: indexes.map((i) => i.definition),
    };
    transaction.put(catalogKey(ns), Buffer.from(serialize(entry)));
  }

  /** Deletes everything below idents that no collection or index owns: what was dropped, or half built before a crash. */
  async purgeOrphans(signal?: AbortSignal): Promise<void> {
    let from = afterPrefix(identPrefix(CATALOG_IDENT));
    for (;;) {
      const [entry] = this.store.range(from, Buffer.alloc(4, 0xff), 1);
      if (!entry || signal?.aborted) return;
      const ident = entry.key.readUInt32BE(0);
      this.reserve(ident);
      if (!this.owns(ident)) await this.purge(ident, signal);
      from = afterPrefix(identPrefix(ident));
    }
  }

  private async purge(ident: number, signal?: AbortSignal): Promise<void> {
    const prefix = identPrefix(ident);
    const end = afterPrefix(prefix);
    for (;;) {
      if (signal?.aborted) return;
      const entries = this.store.range(prefix, end, PURGE_CHUNK);
      if (entries.length === 0) return;
      await this.store.write((transaction) => entries.forEach(({ key }) => transaction.remove(key)));
    }
  }

  private owns(ident: number): boolean {
    return this.list().some(
      (collection) =>
        collection.ident === ident ||
        [...collection.indexes, ...collection.building].some((index) => index.definition.ident === ident),
    );
  }

  private reserve(ident: number): void {
    this.nextIdent = Math.max(this.nextIdent, ident + 1);
  }

  private open(entry: CatalogEntry): Collection {
    const collection: Collection = new Collection(
      this.store,
      entry.ns,
      entry.ident,
      Buffer.from(entry.uuid.buffer),
      entry.options,
      entry.indexes.map((definition) => new CollectionIndex(definition)),
      (transaction) => this.save(transaction, collection),
    );
    this.collections.set(entry.ns, collection);
    return collection;
  }
}

function assertNamespace(namespace: string): void {
  const dot = namespace.indexOf('.');
  const [database, name] = [namespace.slice(0, dot), namespace.slice(dot + 1)];
  const invalid =
    name === '' ||
    name.startsWith('.') ||
    name.endsWith('.') ||
    name.includes('\0') ||
    name.includes('$') ||
    name.includes('..');
  if (invalid) throw new MongoError(73, `Invalid collection name: ${name}`);
  if (database === '' || /[/\\. "$*<>:|?\0]/.test(database)) {
    throw new MongoError(73, `Invalid database name: '${database}'`);
  }
  if (Buffer.byteLength(namespace) > MAX_NAMESPACE_BYTES) {
    throw new MongoError(
      73,
      `Fully qualified namespace is too long. Namespace: ${namespace} Max: ${MAX_NAMESPACE_BYTES}`,
    );
  }
  if (name.startsWith('system.')) throw new MongoError(73, `Invalid system namespace: ${namespace}`);
}
