import { decode, encode } from '../bson/raw';
import { isDocument } from '../bson/types';
import { describe } from '../bson/describe';
import { type Pacer, pump } from '../cursor/pump';
import { badValue, MongoError, typeMismatch } from '../errors';
import { CollectionIndex } from '../index/collection-index';
import { hintKey, ID_INDEX_NAME, type IndexSpec, parseIndexSpec, sameKey } from '../index/index-spec';
import { PAUSE } from '../query/query';
import { type Catalog } from '../storage/catalog';
import { type Collection } from '../storage/collection';
import { type Store } from '../storage/store';
import { type Command, documentOption, namespaceOf } from './command';
import { sizeOption } from './documents';
import { cursorReply } from './reply';

const BUILD_CHUNK = 200;

/** One build at a time in a collection: two clients that create the same index must not both build it. */
const builds = new WeakMap<Collection, Promise<unknown>>();

export const createIndexes: Command = {
  fields: {
    createIndexes: 'any!',
    indexes: 'array!',
    commitQuorum: 'any',
    maxTimeMS: 'number',
    ignoreUnknownIndexOptions: 'bool',
  },
  async run(context) {
    const { engine, options, pacer } = context;
    const namespace = namespaceOf(context, 'createIndexes');
    const inputs = options.indexes as unknown[];
    if (inputs.length === 0) throw badValue('Must specify at least one index to create');
    const specs = inputs.map((input) => {
      if (!isDocument(input)) throw typeMismatch("The elements of the 'indexes' array must be objects");
      return parseIndexSpec(input);
    });
    const existed = engine.catalog.get(namespace);
    const collection =
      existed ?? (await engine.store.write((transaction) => engine.catalog.ensure(transaction, namespace)));
    const previous = builds.get(collection) ?? Promise.resolve();
    const build = previous.then(() => buildAll(engine.store, engine.catalog, collection, specs, pacer));
    builds.set(
      collection,
      build.catch(() => undefined),
    );
    const { before, after } = await build;
    const note = before === after ? { note: 'all indexes already exist' } : {};
    return { numIndexesBefore: before, numIndexesAfter: after, createdCollectionAutomatically: !existed, ...note };
  },
};

async function buildAll(
  store: Store,
  catalog: Catalog,
  collection: Collection,
  specs: readonly IndexSpec[],
  pacer: Pacer,
): Promise<{ before: number; after: number }> {
  const before = collection.indexes.length;
  for (const spec of specs) if (isNew(collection, spec)) await buildIndex(store, catalog, collection, spec, pacer);
  return { before, after: collection.indexes.length };
}

/** False when the same index exists; throws when a different one has its name or its key. */
function isNew(collection: Collection, spec: IndexSpec): boolean {
  for (const { spec: other } of collection.indexes) {
    const key = sameKey(other.key, spec.key);
    if (other.name === spec.name) {
      if (key && sameOptions(other, spec)) return false;
      throw new MongoError(
        86,
        `An existing index has the same name as the requested index. When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. Requested index: ${describe(spec)}, existing index: ${describe(other)}`,
      );
    }
    if (!key) continue;
    const samePartial =
      describe(other.partialFilterExpression ?? null) === describe(spec.partialFilterExpression ?? null);
    if (sameOptions(other, spec)) {
      throw new MongoError(85, `Index already exists with a different name: ${other.name}`);
    }
    if (samePartial && (other.sparse ?? false) === (spec.sparse ?? false)) {
      throw new MongoError(
        85,
        `An equivalent index already exists with the same name but different options. Requested index: ${describe(spec)}, existing index: ${describe(other)}`,
      );
    }
  }
  return true;
}

function sameOptions(a: IndexSpec, b: IndexSpec): boolean {
  return (
    (a.unique ?? false) === (b.unique ?? false) &&
    (a.sparse ?? false) === (b.sparse ?? false) &&
    a.expireAfterSeconds === b.expireAfterSeconds &&
    describe(a.partialFilterExpression ?? null) === describe(b.partialFilterExpression ?? null)
  );
}

/**
 * Builds in steps while writes go on: from the first step every write keeps the index, and the scan adds what was there
 * before. It joins the catalog when it is complete; a crash before that leaves entries that the next start purges.
 */
async function buildIndex(
  store: Store,
  catalog: Catalog,
  collection: Collection,
  spec: IndexSpec,
  pacer: Pacer,
): Promise<void> {
  const index = new CollectionIndex(catalog.define(spec));
  collection.building.push(index);
  try {
    let chunk: number[] = [];
    const add = (recordIds: readonly number[]): Promise<void> =>
      store.write((transaction) => {
        for (const recordId of recordIds) {
          const raw = collection.read(recordId);
          if (raw) collection.addToIndex(transaction, index, recordId, decode(raw));
        }
      });
    const scan = collection.scan();
    const source = (function* () {
      for (const { recordId } of scan) {
        yield recordId;
        if (chunk.length >= BUILD_CHUNK) yield PAUSE;
      }
    })();
    for (;;) {
      const exhausted = await pump(source, (recordId) => chunk.push(recordId) < BUILD_CHUNK, pacer);
      await add(chunk);
      chunk = [];
      if (exhausted) break;
    }
    await store.write((transaction) => {
      if (catalog.get(collection.namespace) !== collection)
        throw new MongoError(26, `collection dropped: ${collection.namespace}`);
      collection.indexes = [...collection.indexes, index];
      transaction.onRollback(() => (collection.indexes = collection.indexes.filter((one) => one !== index)));
      catalog.save(transaction, collection);
    });
  } finally {
    collection.building = collection.building.filter((one) => one !== index);
    if (!collection.indexes.includes(index)) void catalog.purgeOrphans().catch(() => undefined);
  }
}

export const listIndexes: Command = {
  fields: { listIndexes: 'any!', cursor: 'object', includeBuildUUIDs: 'bool' },
  async run(context) {
    const { engine, pacer } = context;
    const namespace = namespaceOf(context, 'listIndexes');
    const collection = engine.catalog.require(namespace);
    const documents = collection.indexes.map(({ spec }) => encode({ ...spec }));
    const size = sizeOption(documentOption(context.options, 'cursor'));
    const stream = (function* () {
      yield* documents;
    })();
    return cursorReply(namespace, 'firstBatch', await engine.cursors.start(namespace, stream, size, false, pacer));
  },
};

export const dropIndexes: Command = {
  fields: { dropIndexes: 'any!', index: 'any!' },
  async run(context) {
    const { engine, options } = context;
    const collection = engine.catalog.require(namespaceOf(context, 'dropIndexes'));
    const nIndexesWas = collection.indexes.length;
    const wanted = Array.isArray(options.index) ? (options.index as unknown[]) : [options.index];
    await engine.store.write((transaction) => {
      const dropped = new Set(wanted.flatMap((selector) => select(collection, selector)));
      const kept = collection.indexes;
      collection.indexes = kept.filter((index) => !dropped.has(index));
      transaction.onRollback(() => (collection.indexes = kept));
      engine.catalog.save(transaction, collection);
    });
    void engine.catalog.purgeOrphans().catch(() => undefined);
    const all = options.index === '*' ? { msg: 'non-_id indexes dropped for collection' } : {};
    return { nIndexesWas, ...all };
  },
};

function select(collection: Collection, selector: unknown): CollectionIndex[] {
  if (selector === '*') return collection.indexes.filter((index) => index.name !== ID_INDEX_NAME);
  const key = isDocument(selector) ? hintKey(selector) : undefined;
  const found = collection.indexes.find((index) => (key ? sameKey(index.spec.key, key) : index.name === selector));
  if (!found) {
    throw new MongoError(
      27,
      key ? `can't find index with key: ${describe(selector)}` : `index not found with name [${String(selector)}]`,
    );
  }
  if (found.name === ID_INDEX_NAME) throw new MongoError(72, 'cannot drop _id index');
  return [found];
}
