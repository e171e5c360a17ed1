import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { find as mingoFind, updateMany as mingoUpdateMany } from 'mingo';
import { cloneDeep } from 'mingo/util';
import { type Collection, MongoClient, type Sort } from 'mongodb';
import { type EmbeddedMongoServer, startEmbeddedMongo } from './server';

type Row = Record<string, unknown>;

let dir: string;
let server: EmbeddedMongoServer;
let client: MongoClient;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'embedded-mongo-'));
  server = await startEmbeddedMongo({ dir, socketPath: join(dir, 'mongo.sock') });
  client = await MongoClient.connect(server.uri);
});

afterAll(async () => {
  await client.close();
  await server.close();
  rmSync(dir, { recursive: true });
});

const integer = fc.integer({ min: -3, max: 6 });
const word = fc.constantFrom('', 'a', 'ab', 'b', 'zé', '\u{1F600}');
const scalar = fc.oneof(integer, word, fc.boolean(), fc.constant(null), fc.constant(0.5), fc.constant(new Date(5000)));
const mixed = fc.oneof({ weight: 4, arbitrary: scalar }, { weight: 1, arbitrary: fc.array(integer, { maxLength: 3 }) });

const row = fc.record(
  {
    n: integer,
    w: word,
    v: mixed,
    sub: fc.record({ x: integer, y: scalar }, { requiredKeys: [] }),
    list: fc.array(fc.record({ k: fc.constantFrom('p', 'q'), q: integer }), { maxLength: 3 }),
  },
  { requiredKeys: ['n', 'w'] },
);
const rows = fc.array(row, { maxLength: 25 }).map((all) => all.map((one, i): Row => ({ _id: i, ...one })));

const comparable = fc.oneof(integer, word);
const operator = fc.oneof(
  fc.record({ $gt: comparable }),
  fc.record({ $gte: comparable }),
  fc.record({ $lt: comparable }),
  fc.record({ $lte: comparable }),
  fc.tuple(integer, integer).map(([a, b]) => ({ $gte: a, $lt: b })),
  fc.record({ $ne: scalar }),
  fc.record({ $in: fc.array(scalar, { maxLength: 4 }) }),
  fc.record({ $nin: fc.array(scalar, { maxLength: 3 }) }),
  fc.record({ $exists: fc.boolean() }),
  fc.record({ $not: fc.record({ $gt: comparable }) }),
);
const condition = fc.oneof(
  fc
    .tuple(fc.constantFrom('n', 'w', 'v', 'sub.x', 'sub.y', 'list.q', 'list.k'), fc.oneof(scalar, operator))
    .map(([path, test]): Row => ({ [path]: test })),
  fc.record({ k: fc.constantFrom('p', 'q'), q: operator }).map(({ k, q }): Row => ({ list: { $elemMatch: { k, q } } })),
);
const filter = fc.oneof(
  fc.constant<Row>({}),
  condition,
  fc.tuple(condition, condition).map(([a, b]): Row => ({ $and: [a, b] })),
  fc.tuple(condition, condition).map(([a, b]): Row => ({ $or: [a, b] })),
  fc.tuple(condition, condition, condition).map(([a, b, c]): Row => ({ $and: [a, { $or: [b, c] }] })),
  fc.tuple(condition, condition).map(([a, b]): Row => ({ $nor: [a, b] })),
);
const direction = fc.constantFrom<1 | -1>(1, -1);
// mingo sorts arrays and mixed types in its own way, so the sort keys hold one type each.
const sort = fc
  .tuple(fc.constantFrom('n', 'w'), direction, direction)
  .map(([field, a, b]): Record<string, 1 | -1> => ({ [field]: a, _id: b }));
const update = fc.oneof(
  fc.record({ n: integer, 'sub.x': integer }).map(($set): Row => ({ $set })),
  integer.map((n): Row => ({ $inc: { n } })),
  fc.constantFrom('v', 'sub', 'list').map((path): Row => ({ $unset: { [path]: '' } })),
  fc.record({ n: integer }).map(($min): Row => ({ $min })),
  fc.record({ k: fc.constant('p'), q: integer }).map((element): Row => ({ $push: { list: element } })),
  fc.record({ q: integer }).map((element): Row => ({ $pull: { list: element } })),
);

/** One index of each kind that could lose or double a document. */
const INDEXES = [
  { key: { n: 1 } },
  { key: { w: -1, n: 1 } },
  { key: { v: 1 } },
  { key: { 'sub.x': 1 }, sparse: true },
  { key: { 'sub.y': -1 } },
  { key: { 'list.k': 1, 'list.q': 1 } },
  { key: { n: -1, w: 1 }, name: 'partial', partialFilterExpression: { n: { $gte: 2 } } },
] as const;

async function twins(documents: Row[]): Promise<{ bare: Collection<Row>; indexed: Collection<Row> }> {
  const db = client.db('differential');
  const [bare, indexed] = [db.collection<Row>('bare'), db.collection<Row>('indexed')];
  await Promise.all([bare.deleteMany({}), indexed.deleteMany({})]);
  await indexed.createIndexes(INDEXES.map((index) => ({ ...index })));
  if (documents.length > 0) await Promise.all([bare.insertMany(documents), indexed.insertMany(documents)]);
  return { bare, indexed };
}

const copy = (documents: Row[]): Row[] => cloneDeep(documents);
const byId = (documents: Row[]): Row[] => [...documents].sort((a, b) => Number(a._id) - Number(b._id));
const runs = { numRuns: 150 };

test('finds what mingo finds, with and without indexes', async () => {
  await fc.assert(
    fc.asyncProperty(rows, fc.array(filter, { minLength: 1, maxLength: 6 }), async (documents, filters) => {
      const { bare, indexed } = await twins(documents);
      for (const query of filters) {
        const expected = mingoFind<Row>(copy(documents), query).all();
        expect(await bare.find(query).toArray()).toEqual(expected);
        expect(byId(await indexed.find(query).toArray())).toEqual(byId(expected));
        expect(await indexed.countDocuments(query)).toBe(expected.length);
      }
    }),
    runs,
  );
}, 120_000);

test('sorts, skips and limits as mingo does, with and without indexes', async () => {
  await fc.assert(
    fc.asyncProperty(
      rows,
      filter,
      sort,
      fc.nat(4),
      fc.integer({ min: 1, max: 8 }),
      async (documents, query, order, skip, limit) => {
        const { bare, indexed } = await twins(documents);
        const expected = mingoFind(copy(documents), query).sort(order).skip(skip).limit(limit).all();
        for (const collection of [bare, indexed]) {
          expect(
            await collection
              .find(query)
              .sort(order as Sort)
              .skip(skip)
              .limit(limit)
              .toArray(),
          ).toEqual(expected);
        }
      },
    ),
    runs,
  );
}, 120_000);

test('updates as mingo does, and every index agrees with the documents afterwards', async () => {
  await fc.assert(
    fc.asyncProperty(
      rows,
      fc.array(fc.tuple(filter, update), { minLength: 1, maxLength: 4 }),
      async (documents, steps) => {
        const { bare, indexed } = await twins(documents);
        const expected = copy(documents);
        for (const [query, change] of steps) {
          mingoUpdateMany(expected, query, change as never);
          await bare.updateMany(query, change);
          await indexed.updateMany(query, change);
        }
        expect(byId(await bare.find().toArray())).toEqual(byId(expected));
        expect(byId(await indexed.find().toArray())).toEqual(byId(expected));
        for (const name of ['n_1', 'w_-1_n_1', 'v_1', 'sub.y_-1', 'list.k_1_list.q_1']) {
          expect(byId(await indexed.find().hint(name).toArray())).toEqual(byId(expected));
        }
      },
    ),
    runs,
  );
}, 120_000);
