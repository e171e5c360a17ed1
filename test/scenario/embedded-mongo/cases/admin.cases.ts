import { type Case, type Row } from './cases';

const names = (rows: readonly Row[]): unknown[] => rows.map(({ name }) => name).sort();
const two: Row[] = [
  { _id: 1, a: 1, b: 'x' },
  { _id: 2, a: 2, b: 'y' },
];

export const indexCases: Case[] = [
  {
    name: 'index: createIndex names it and lists it',
    run: async (collection) => [await collection.createIndex({ a: 1, 'b.c': -1 }), names(await collection.indexes())],
    result: ['a_1_b.c_-1', ['_id_', 'a_1_b.c_-1']],
  },
  {
    name: 'index: the same one twice is no error',
    run: async (collection) => {
      await collection.createIndex({ a: 1 });
      await collection.createIndex({ a: 1 });
      return (await collection.indexes()).length;
    },
    result: 2,
  },
  {
    name: 'index: another key under a taken name',
    run: async (collection) => {
      await collection.createIndex({ a: 1 }, { name: 'n' });
      return collection.createIndex({ b: 1 }, { name: 'n' });
    },
    result: { error: 86 },
  },
  {
    name: 'index: other options for the same key',
    run: async (collection) => {
      await collection.createIndex({ a: 1 });
      return collection.createIndex({ a: 1 }, { unique: true });
    },
    result: { error: 86 },
  },
  {
    name: 'index: dropIndex',
    run: async (collection) => {
      await collection.createIndex({ a: 1 });
      await collection.dropIndex('a_1');
      return names(await collection.indexes());
    },
    result: ['_id_'],
  },
  {
    name: 'index: dropping an unknown one',
    documents: two,
    run: (collection) => collection.dropIndex('nope'),
    result: { error: 27 },
  },
  {
    name: 'index: dropping the one on _id',
    documents: two,
    run: (collection) => collection.dropIndex('_id_'),
    result: { error: 72 },
  },
  {
    name: 'index: dropIndexes drops all but _id',
    run: async (collection) => {
      await collection.createIndexes([{ key: { a: 1 } }, { key: { b: 1 } }]);
      await collection.dropIndexes();
      return names(await collection.indexes());
    },
    result: ['_id_'],
  },
  {
    name: 'index: unique refuses a duplicate and names it',
    documents: two,
    run: async (collection) => {
      await collection.createIndex({ b: 1 }, { unique: true });
      const error = await collection.insertOne({ _id: 3, b: 'x' }).catch((failure: unknown) => failure as Row);
      const { code, keyPattern, keyValue } = error as Row;
      return { code, keyPattern, keyValue };
    },
    result: { code: 11000, keyPattern: { b: 1 }, keyValue: { b: 'x' } },
    after: two,
  },
  {
    name: 'index: unique refuses an update into a duplicate',
    documents: two,
    run: async (collection) => {
      await collection.createIndex({ b: 1 }, { unique: true });
      return collection.updateOne({ _id: 1 }, { $set: { b: 'y' } });
    },
    result: { error: 11000 },
    after: two,
  },
  {
    name: 'index: unique cannot be built over duplicates',
    documents: [
      { _id: 1, a: 1 },
      { _id: 2, a: 1 },
    ],
    run: (collection) => collection.createIndex({ a: 1 }, { unique: true }),
    result: { error: 11000 },
  },
  {
    name: 'index: unique counts a missing field as null',
    run: async (collection) => {
      await collection.createIndex({ a: 1 }, { unique: true });
      await collection.insertOne({ _id: 1 });
      return collection.insertOne({ _id: 2 });
    },
    result: { error: 11000 },
    after: [{ _id: 1 }],
  },
  {
    name: 'index: sparse unique lets fields be missing',
    run: async (collection) => {
      await collection.createIndex({ a: 1 }, { unique: true, sparse: true });
      await collection.insertMany([{ _id: 1 }, { _id: 2 }]);
      return (await collection.find({ a: null }).toArray()).length;
    },
    result: 2,
  },
  {
    name: 'index: partial unique binds only what it covers',
    run: async (collection) => {
      await collection.createIndex({ a: 1 }, { unique: true, partialFilterExpression: { live: true } });
      await collection.insertMany([
        { _id: 1, a: 1, live: false },
        { _id: 2, a: 1, live: false },
        { _id: 3, a: 1, live: true },
      ]);
      return collection.insertOne({ _id: 4, a: 1, live: true });
    },
    result: { error: 11000 },
    after: [
      { _id: 1, a: 1, live: false },
      { _id: 2, a: 1, live: false },
      { _id: 3, a: 1, live: true },
    ],
  },
  {
    name: 'index: partial unique holds when a document moves into it',
    run: async (collection) => {
      await collection.createIndex({ a: 1 }, { unique: true, partialFilterExpression: { live: true } });
      await collection.insertMany([
        { _id: 1, a: 1, live: false },
        { _id: 2, a: 1, live: true },
      ]);
      return collection.updateOne({ _id: 1 }, { $set: { live: true } });
    },
    result: { error: 11000 },
  },
  {
    name: 'index: compound unique',
    run: async (collection) => {
      await collection.createIndex({ a: 1, b: 1 }, { unique: true });
      await collection.insertMany([
        { _id: 1, a: 1, b: 1 },
        { _id: 2, a: 1, b: 2 },
      ]);
      return collection.insertOne({ _id: 3, a: 1, b: 2 });
    },
    result: { error: 11000 },
  },
  {
    name: 'index: unique over array elements',
    documents: [{ _id: 1, a: ['x', 'y'] }],
    run: async (collection) => {
      await collection.createIndex({ a: 1 }, { unique: true });
      return collection.insertOne({ _id: 2, a: ['z', 'y'] });
    },
    result: { error: 11000 },
  },
  {
    name: 'index: parallel arrays are refused',
    run: async (collection) => {
      await collection.createIndex({ a: 1, b: 1 });
      return collection.insertOne({ _id: 1, a: [1], b: [2] });
    },
    result: { error: 171 },
    after: [],
  },
  {
    name: 'index: an unknown option',
    run: (_, db) => db.command({ createIndexes: 'x', indexes: [{ key: { a: 1 }, name: 'a', nope: 1 }] }),
    result: { error: 197 },
  },
  {
    name: 'index: an unknown hint',
    documents: two,
    run: (collection) => collection.find({ a: 1 }).hint('nope').toArray(),
    result: { error: 2 },
  },
];

export const collectionCases: Case[] = [
  {
    name: 'collection: create, list, drop',
    run: async (collection, db) => {
      const name = `${collection.collectionName}_made`;
      await db.createCollection(name);
      const listed = await db.listCollections({ name }, { nameOnly: true }).toArray();
      const dropped = await db.dropCollection(name);
      return [listed.length, dropped, (await db.listCollections({ name }).toArray()).length];
    },
    result: [1, true, 0],
  },
  {
    name: 'collection: create twice',
    documents: two,
    run: (collection, db) => db.command({ create: collection.collectionName }),
    result: { error: 48 },
  },
  {
    name: 'collection: dropping leaves no documents behind',
    documents: two,
    run: async (collection) => {
      await collection.createIndex({ a: 1 });
      await collection.drop();
      await collection.insertOne({ _id: 9, a: 1 });
      return [(await collection.find({ a: 1 }).toArray()).length, (await collection.indexes()).length];
    },
    result: [1, 1],
    after: [{ _id: 9, a: 1 }],
  },
  {
    name: 'database: drop',
    run: async (_, db) => {
      const other = db.client.db(`other${Math.random().toString(36).slice(2)}`);
      await other.collection('c').insertOne({ a: 1 });
      const before = (await db.admin().listDatabases()).databases.some(({ name }) => name === other.databaseName);
      await other.dropDatabase();
      const after = (await db.admin().listDatabases()).databases.some(({ name }) => name === other.databaseName);
      return [before, after];
    },
    result: [true, false],
  },
  { name: 'command: unknown', run: (_, db) => db.command({ nope: 1 }), result: { error: 59 } },
  { name: 'command: ping', run: async (_, db) => (await db.command({ ping: 1 })).ok as unknown, result: 1 },
];

/** What only the real server's strictness shows; other engines are not measured by it. */
export const strictCases: Case[] = [
  { name: 'option: unknown', run: (_, db) => db.command({ find: 'x', nope: 1 }), result: { error: 40415 } },
  { name: 'option: wrong type', run: (_, db) => db.command({ find: 'x', limit: 'many' }), result: { error: 14 } },
  { name: 'option: missing', run: (_, db) => db.command({ distinct: 'x' }), result: { error: 40414 } },
  { name: 'option: negative skip', run: (_, db) => db.command({ find: 'x', skip: -1 }), result: { error: 2 } },
  {
    name: 'option: collation',
    run: (collection) => collection.find({}, { collation: { locale: 'de' } }).toArray(),
    result: { error: 115 },
  },
  {
    name: 'option: write concern of two',
    run: (_, db) => db.command({ insert: 'x', documents: [{}], writeConcern: { w: 2 } }),
    result: { error: 2 },
  },
  { name: 'batch: empty', run: (_, db) => db.command({ insert: 'x', documents: [] }), result: { error: 16 } },
  {
    name: 'cursor: unknown',
    run: async (_, db) => db.command({ getMore: (await import('mongodb')).Long.fromNumber(12345), collection: 'x' }),
    result: { error: 43 },
  },
  {
    name: 'transaction',
    run: async (_, db) => db.command({ find: 'x', txnNumber: 1, startTransaction: true }),
    result: { error: 20 },
  },
  {
    name: 'authentication',
    run: (_, db) => db.command({ saslStart: 1, mechanism: 'PLAIN', payload: '' }),
    result: { error: 18 },
  },
  { name: 'namespace', run: (_, db) => db.command({ create: 'a$b' }), result: { error: 73 } },
  {
    name: 'stage that writes',
    run: (collection) => collection.aggregate([{ $out: 'x' }]).toArray(),
    result: { error: 115 },
  },
  {
    name: 'change stream',
    run: (collection) => collection.aggregate([{ $changeStream: {} }]).toArray(),
    result: { error: 40573 },
  },
  {
    name: 'replacement of many',
    run: (_, db) =>
      db
        .command({ update: 'x', updates: [{ q: {}, u: { a: 1 }, multi: true }] })
        .then((reply) => (reply.writeErrors as Row[])[0]?.code),
    result: 9,
  },
];
