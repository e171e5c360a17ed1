import { Binary } from 'bson';
import { encode } from '../bson/raw';
import { type Document, isDocument, isNumeric, toNumber } from '../bson/types';
import { badValue, MongoError, notSupported } from '../errors';
import { compileFilter } from '../query/matcher';
import { hintKey, parseExpiry, sameKey } from '../index/index-spec';
import { type Collection } from '../storage/collection';
import { type Command, documentOption, namespaceOf, numberOption } from './command';
import { sizeOption } from './documents';
import { cursorReply } from './reply';

const CREATE_FIELDS = {
  create: 'any!',
  capped: 'bool',
  size: 'number',
  max: 'number',
  timeseries: 'object',
  viewOn: 'string',
  pipeline: 'array',
  validator: 'object',
  validationLevel: 'string',
  validationAction: 'string',
  collation: 'object',
  storageEngine: 'object',
  indexOptionDefaults: 'object',
  idIndex: 'object',
  autoIndexId: 'bool',
  clusteredIndex: 'any',
  changeStreamPreAndPostImages: 'object',
  expireAfterSeconds: 'number',
  encryptedFields: 'object',
} as const;
/** Options that change what a collection is or accepts; storing them without obeying them would be a lie. */
const REFUSED_OPTIONS = [
  'timeseries',
  'viewOn',
  'pipeline',
  'clusteredIndex',
  'encryptedFields',
  'changeStreamPreAndPostImages',
];

export const create: Command = {
  fields: CREATE_FIELDS,
  async run(context) {
    const { engine, options } = context;
    const namespace = namespaceOf(context, 'create');
    if (options.capped === true) throw notSupported('a capped collection');
    if (Object.keys(documentOption(options, 'validator')).length > 0) throw notSupported('a validator');
    const refused = REFUSED_OPTIONS.find((option) => options[option] !== undefined);
    if (refused) throw notSupported(`create option '${refused}'`);
    await engine.store.write((transaction) => {
      if (engine.catalog.get(namespace)) throw new MongoError(48, `Collection ${namespace} already exists.`);
      engine.catalog.create(transaction, namespace);
    });
    return {};
  },
};

export const drop: Command = {
  fields: { drop: 'any!' },
  async run(context) {
    const { engine } = context;
    const namespace = namespaceOf(context, 'drop');
    const dropped = await engine.store.write((transaction) => {
      const collection = engine.catalog.get(namespace);
      if (collection) engine.catalog.drop(transaction, collection);
      return collection;
    });
    if (!dropped) return {};
    void engine.catalog.purgeOrphans().catch(() => undefined);
    return { nIndexesWas: dropped.indexes.length, ns: namespace };
  },
};

export const dropDatabase: Command = {
  fields: { dropDatabase: 'any!' },
  async run({ engine, database }) {
    const dropped = await engine.store.write((transaction) => {
      const collections = engine.catalog.list(database);
      for (const collection of collections) engine.catalog.drop(transaction, collection);
      return collections.length;
    });
    void engine.catalog.purgeOrphans().catch(() => undefined);
    return dropped > 0 ? { dropped: database } : {};
  },
};

export const listCollections: Command = {
  fields: {
    listCollections: 'any!',
    filter: 'object',
    nameOnly: 'bool',
    authorizedCollections: 'bool',
    cursor: 'object',
  },
  async run({ engine, options, database, pacer }) {
    const matches = compileFilter(documentOption(options, 'filter'));
    const nameOnly = options.nameOnly === true;
    const documents = engine.catalog
      .list(database)
      .map((collection) => describeCollection(collection, nameOnly))
      .filter((document) => matches(document, { element: -1 }))
      .map(encode);
    const namespace = `${database}.$cmd.listCollections`;
    const stream = (function* () {
      yield* documents;
    })();
    const size = sizeOption(documentOption(options, 'cursor'));
    return cursorReply(namespace, 'firstBatch', await engine.cursors.start(namespace, stream, size, false, pacer));
  },
};

function describeCollection(collection: Collection, nameOnly: boolean): Document {
  const { name, options, uuid, indexes } = collection;
  if (nameOnly) return { name, type: 'collection' };
  return {
    name,
    type: 'collection',
    options,
    info: { readOnly: false, uuid: new Binary(uuid, Binary.SUBTYPE_UUID) },
    idIndex: indexes[0]?.spec,
  };
}

export const listDatabases: Command = {
  fields: { listDatabases: 'any!', filter: 'object', nameOnly: 'bool', authorizedDatabases: 'bool' },
  run({ engine, options, database }) {
    if (database !== 'admin') throw new MongoError(13, 'listDatabases may only be run against the admin database.');
    const matches = compileFilter(documentOption(options, 'filter'));
    const nameOnly = options.nameOnly === true;
    const databases = engine.catalog.databases().map((name): Document => {
      const count = engine.catalog.list(name).reduce((sum, collection) => sum + collection.count, 0);
      return nameOnly ? { name } : { name, sizeOnDisk: count, empty: count === 0 };
    });
    const listed = databases.filter((document) => matches(document, { element: -1 }));
    const totalSize = listed.reduce(
      (sum, { sizeOnDisk }) => sum + (typeof sizeOnDisk === 'number' ? sizeOnDisk : 0),
      0,
    );
    return { databases: listed, ...(nameOnly ? {} : { totalSize, totalSizeMb: 0 }) };
  },
};

/** Changes the expiry of a TTL index, or hides an index from the planner. */
export const collMod: Command = {
  fields: { collMod: 'any!', index: 'object' },
  async run(context) {
    const { engine, options } = context;
    const collection = engine.catalog.require(namespaceOf(context, 'collMod'));
    if (!isDocument(options.index)) return {};
    const request = options.index;
    return engine.store.write((transaction): Document => {
      const key = isDocument(request.keyPattern) ? hintKey(request.keyPattern) : undefined;
      const name = typeof request.name === 'string' ? request.name : '';
      const index = collection.indexes.find((one) => (key ? sameKey(one.spec.key, key) : one.name === name));
      if (!index)
        throw new MongoError(27, `cannot find index ${name || 'by key pattern'} for ns ${collection.namespace}`);
      const { spec } = index;
      const reply: Document = {};
      const before = { ...spec };
      if (request.expireAfterSeconds !== undefined) {
        if (!isNumeric(request.expireAfterSeconds)) throw badValue('expireAfterSeconds field must be a number');
        if (spec.expireAfterSeconds !== undefined) reply.expireAfterSeconds_old = spec.expireAfterSeconds;
        spec.expireAfterSeconds = parseExpiry(toNumber(request.expireAfterSeconds));
        reply.expireAfterSeconds_new = spec.expireAfterSeconds;
      }
      if (typeof request.hidden === 'boolean') {
        reply.hidden_old = spec.hidden ?? false;
        reply.hidden_new = request.hidden;
        if (request.hidden) spec.hidden = true;
        else delete spec.hidden;
      }
      transaction.onRollback(() => Object.assign(spec, { expireAfterSeconds: undefined, hidden: undefined }, before));
      engine.catalog.save(transaction, collection);
      return reply;
    });
  },
};

export const collStats: Command = {
  fields: { collStats: 'any!', scale: 'number' },
  run(context) {
    const namespace = namespaceOf(context, 'collStats');
    const collection = context.engine.catalog.get(namespace);
    const size = collection ? dataSize(collection) : 0;
    const scale = numberOption(context.options, 'scale') ?? 1;
    const n = collection?.count ?? 0;
    const nindexes = collection?.indexes.length ?? 0;
    return {
      ns: namespace,
      size: Math.floor(size / scale),
      count: n,
      avgObjSize: n > 0 ? Math.floor(size / n) : 0,
      storageSize: Math.floor(size / scale),
      nindexes,
      scaleFactor: scale,
    };
  },
};

export const dbStats: Command = {
  fields: { dbStats: 'any!', scale: 'number', freeStorage: 'number' },
  run({ engine, database, options }) {
    const collections = engine.catalog.list(database);
    const scale = numberOption(options, 'scale') ?? 1;
    const dataBytes = collections.reduce((sum, collection) => sum + dataSize(collection), 0);
    return {
      db: database,
      collections: collections.length,
      views: 0,
      objects: collections.reduce((sum, collection) => sum + collection.count, 0),
      dataSize: dataBytes / scale,
      storageSize: dataBytes / scale,
      indexes: collections.reduce((sum, collection) => sum + collection.indexes.length, 0),
      scaleFactor: scale,
    };
  },
};

const SIZE_SAMPLE = 1000;

/** Measured on up to a thousand documents and scaled up: statistics must not scan a large collection. */
function dataSize(collection: Collection): number {
  let bytes = 0;
  let seen = 0;
  for (const { raw } of collection.scan()) {
    bytes += raw.length;
    if (++seen >= SIZE_SAMPLE) break;
  }
  return seen === 0 ? 0 : Math.round((bytes / seen) * collection.count);
}
