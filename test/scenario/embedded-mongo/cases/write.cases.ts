import { Decimal128, Double, Int32, Long } from 'mongodb';
import { type Case, counts, type Row, type Stored } from './cases';

/** One update of the document `{_id: 1, …}` and what it leaves. */
const updates = (name: string, before: Row, update: Row | Row[], after: Row, filter: Row = {}, options = {}): Case => ({
  name: `update ${name}`,
  documents: [{ _id: 1, ...before }],
  run: async (collection) => counts(await collection.updateOne({ _id: 1, ...filter }, update, options)),
  result: { matchedCount: 1, modifiedCount: 1, upsertedCount: 0 },
  after: [{ _id: 1, ...after }],
});

const refuses = (name: string, before: Row, update: Row | Row[], code: number, options = {}): Case => ({
  name: `update refuses ${name}`,
  documents: [{ _id: 1, ...before }],
  run: (collection) => collection.updateOne({ _id: 1 }, update, options),
  result: { error: code },
  after: [{ _id: 1, ...before }],
});

const keeps = (name: string, before: Row, update: Row): Case => ({
  ...updates(name, before, update, before),
  result: { matchedCount: 1, modifiedCount: 0, upsertedCount: 0 },
});

const scores = [
  { k: 'a', v: 1 },
  { k: 'b', v: 2 },
  { k: 'a', v: 3 },
];

export const updateCases: Case[] = [
  updates('$set', { a: 1 }, { $set: { a: 2, b: 3 } }, { a: 2, b: 3 }),
  updates('$set makes the way', {}, { $set: { 'a.b.c': 1 } }, { a: { b: { c: 1 } } }),
  updates('$set of an array position pads with null', { a: [1] }, { $set: { 'a.3': 4 } }, { a: [1, null, null, 4] }),
  keeps('$set to the same value changes nothing', { a: 1 }, { $set: { a: 1 } }),
  updates('$unset', { a: 1, b: 2 }, { $unset: { a: '' } }, { b: 2 }),
  updates('$unset of an array position leaves null', { a: [1, 2, 3] }, { $unset: { 'a.1': '' } }, { a: [1, null, 3] }),
  keeps('$unset of what is missing', { a: 1 }, { $unset: { b: '' } }),
  updates('$inc', { n: 1 }, { $inc: { n: 2, m: -1 } }, { n: 3, m: -1 }),
  updates('$mul', { n: 3 }, { $mul: { n: 4, m: 5 } }, { n: 12, m: 0 }),
  updates('$min and $max', { a: 5, b: 5 }, { $min: { a: 3, c: 1 }, $max: { b: 9 } }, { a: 3, b: 9, c: 1 }),
  keeps('$max with a lower value', { a: 5 }, { $max: { a: 3 } }),
  updates('$rename', { a: 1, c: 2 }, { $rename: { a: 'b' } }, { c: 2, b: 1 }),
  updates('$rename into a document', { a: 1 }, { $rename: { a: 'x.y' } }, { x: { y: 1 } }),
  updates('$push', { a: [1] }, { $push: { a: 2, b: 3 } }, { a: [1, 2], b: [3] }),
  updates(
    '$push with every clause',
    { a: [5, 1] },
    { $push: { a: { $each: [3, 4], $sort: -1, $slice: 3 } } },
    { a: [5, 4, 3] },
  ),
  updates('$push at a position', { a: [1, 4] }, { $push: { a: { $each: [2, 3], $position: 1 } } }, { a: [1, 2, 3, 4] }),
  updates(
    '$push sorted by a field, the last kept',
    { a: scores },
    { $push: { a: { $each: [], $sort: { v: 1 }, $slice: -2 } } },
    {
      a: [
        { k: 'b', v: 2 },
        { k: 'a', v: 3 },
      ],
    },
  ),
  updates('$addToSet', { a: [1] }, { $addToSet: { a: { $each: [1, 2, 2] } } }, { a: [1, 2] }),
  keeps('$addToSet of what is there', { a: [{ x: 1 }] }, { $addToSet: { a: { x: 1 } } }),
  updates('$pop', { a: [1, 2, 3], b: [1, 2] }, { $pop: { a: 1, b: -1 } }, { a: [1, 2], b: [2] }),
  updates('$pull by condition', { a: [1, 5, 8] }, { $pull: { a: { $gte: 5 } } }, { a: [1] }),
  updates(
    '$pull by fields of the element',
    { a: scores },
    { $pull: { a: { k: 'a', v: { $gt: 1 } } } },
    { a: [scores[0], scores[1]] },
  ),
  updates('$pull by value', { a: ['x', 'y', 'x'] }, { $pull: { a: 'x' } }, { a: ['y'] }),
  updates('$pullAll', { a: [1, 2, 3, 2] }, { $pullAll: { a: [2, 3] } }, { a: [1] }),
  updates('$bit', { n: new Int32(13) }, { $bit: { n: { and: new Int32(10) } } }, { n: 8 }),
  updates(
    'the matched position',
    { a: scores },
    { $set: { 'a.$.v': 9 } },
    { a: [scores[0], { k: 'b', v: 9 }, scores[2]] },
    { 'a.k': 'b' },
  ),
  updates('every element', { a: [1, 2] }, { $inc: { 'a.$[]': 10 } }, { a: [11, 12] }),
  updates(
    'filtered elements',
    { a: scores },
    { $set: { 'a.$[e].v': 0 } },
    {
      a: [
        { k: 'a', v: 1 },
        { k: 'b', v: 2 },
        { k: 'a', v: 0 },
      ],
    },
    {},
    { arrayFilters: [{ 'e.k': 'a', 'e.v': { $gt: 1 } }] },
  ),
  updates(
    'filtered values',
    { a: [1, 5, 9] },
    { $set: { 'a.$[big]': 0 } },
    { a: [1, 0, 0] },
    {},
    { arrayFilters: [{ big: { $gte: 5 } }] },
  ),
  updates('by a pipeline', { a: 1, b: 2 }, [{ $set: { c: { $add: ['$a', '$b'] } } }, { $unset: 'a' }], { b: 2, c: 3 }),
  refuses('a change of the id', { a: 1 }, { $set: { _id: 2 } }, 66),
  refuses('two changes of one path', { a: 1 }, { $set: { a: 2 }, $inc: { a: 1 } }, 40),
  refuses('a change of a path and its parent', { a: { b: 1 } }, { $set: { a: 2, 'a.b': 1 } }, 40),
  refuses('$inc of a string', { a: 'x' }, { $inc: { a: 1 } }, 14),
  refuses('$inc by a string', { a: 1 }, { $inc: { a: 'x' } }, 14),
  refuses('$push to a number', { a: 1 }, { $push: { a: 1 } }, 2),
  refuses('a field below a number', { a: 1 }, { $set: { 'a.b': 1 } }, 28),
  refuses('an unknown operator', { a: 1 }, { $foo: { a: 1 } }, 9),
  refuses('a position without a match', { a: [1] }, { $set: { 'a.$': 2 } }, 2),
  refuses('an identifier without a filter', { a: [1] }, { $set: { 'a.$[x]': 2 } }, 2),
  refuses('a filter without an identifier', { a: [1] }, { $set: { b: 2 } }, 9, { arrayFilters: [{ x: 1 }] }),
];

/** The stored type of `n` after an update: as the server's `$type` sees it. */
const types = (name: string, n: unknown, update: Row, alias: string): Case => ({
  name: `number types: ${name}`,
  documents: [{ _id: 1, n }],
  run: async (collection) => {
    await collection.updateOne({ _id: 1 }, update);
    return collection.countDocuments({ n: { $type: alias as 'int' } });
  },
  result: 1,
});

export const numberCases: Case[] = [
  types('int plus int is int', new Int32(1), { $inc: { n: 1 } }, 'int'),
  types('int that overflows is long', new Int32(2147483647), { $inc: { n: 1 } }, 'long'),
  types('long stays long', Long.fromNumber(1), { $inc: { n: 1 } }, 'long'),
  types('double stays double', new Double(1), { $inc: { n: 1 } }, 'double'),
  types('int plus double is double', new Int32(1), { $inc: { n: 0.5 } }, 'double'),
  types('decimal wins', Decimal128.fromString('0.1'), { $inc: { n: 1 } }, 'decimal'),
  types('an untouched long stays long', Long.fromNumber(7), { $set: { other: 1 } }, 'long'),
  types('an untouched whole double stays double', new Double(7), { $set: { other: 1 } }, 'double'),
  {
    name: 'number types: a long past 2^53 is exact',
    documents: [{ _id: 1, n: Long.fromString('9007199254740993') }],
    run: async (collection) => {
      await collection.updateOne({ _id: 1 }, { $inc: { n: 1 } });
      return collection.countDocuments({ n: Long.fromString('9007199254740994') });
    },
    result: 1,
  },
];

const three: Row[] = [
  { _id: 1, x: 1 },
  { _id: 2, x: 1 },
  { _id: 3, x: 2 },
];

export const writeCases: Case[] = [
  {
    name: 'insertOne makes an id that comes first',
    run: async (collection) => {
      await collection.insertOne({ a: 1 } as unknown as Stored);
      return Object.keys((await collection.findOne()) ?? {});
    },
    result: ['_id', 'a'],
  },
  {
    name: 'insertMany',
    run: async (collection) => counts(await collection.insertMany(three as Stored[])),
    result: { insertedCount: 3 },
    after: three,
  },
  {
    name: 'an ordered batch ends at the first duplicate',
    documents: [{ _id: 2 }],
    run: (collection) => collection.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]),
    result: { error: 11000 },
    after: [{ _id: 2 }, { _id: 1 }],
  },
  {
    name: 'an unordered batch goes on',
    documents: [{ _id: 2 }],
    run: (collection) => collection.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }], { ordered: false }),
    result: { error: 11000 },
    after: [{ _id: 2 }, { _id: 1 }, { _id: 3 }],
  },
  {
    name: 'an array cannot be an id',
    run: (collection) => collection.insertOne({ _id: [1] } as unknown as Stored),
    result: { error: 53 },
    after: [],
  },
  {
    name: 'updateMany',
    documents: three,
    run: async (collection) => counts(await collection.updateMany({ x: 1 }, { $inc: { x: 10 } })),
    result: { matchedCount: 2, modifiedCount: 2, upsertedCount: 0 },
    after: [
      { _id: 1, x: 11 },
      { _id: 2, x: 11 },
      { _id: 3, x: 2 },
    ],
  },
  {
    name: 'replaceOne keeps the id',
    documents: three,
    run: async (collection) => counts(await collection.replaceOne({ x: 2 }, { y: 9 })),
    result: { matchedCount: 1, modifiedCount: 1, upsertedCount: 0 },
    after: [three[0] as Row, three[1] as Row, { _id: 3, y: 9 }],
  },
  {
    name: 'replaceOne refuses another id',
    documents: three,
    run: (collection) => collection.replaceOne({ _id: 1 }, { _id: 9 }),
    result: { error: 66 },
    after: three,
  },
  {
    name: 'an upsert takes the equalities of its filter',
    run: async (collection) =>
      counts(
        await collection.updateOne(
          { _id: 5, a: 1, b: { $gt: 2 }, $and: [{ 'c.d': 3 }] },
          { $set: { e: 4 }, $setOnInsert: { f: 6 } },
          { upsert: true },
        ),
      ),
    result: { matchedCount: 0, modifiedCount: 0, upsertedCount: 1 },
    after: [{ _id: 5, a: 1, c: { d: 3 }, e: 4, f: 6 }],
  },
  {
    name: '$setOnInsert is idle on a match',
    documents: three,
    run: async (collection) =>
      counts(await collection.updateOne({ _id: 1 }, { $setOnInsert: { f: 6 } }, { upsert: true })),
    result: { matchedCount: 1, modifiedCount: 0, upsertedCount: 0 },
    after: three,
  },
  {
    name: 'an upsert by replacement',
    run: async (collection) => counts(await collection.replaceOne({ _id: 7, a: 1 }, { b: 2 }, { upsert: true })),
    result: { matchedCount: 0, modifiedCount: 0, upsertedCount: 1 },
    after: [{ _id: 7, b: 2 }],
  },
  {
    name: 'an upsert of many',
    run: async (collection) => counts(await collection.updateMany({ _id: 7 }, { $set: { b: 2 } }, { upsert: true })),
    result: { matchedCount: 0, modifiedCount: 0, upsertedCount: 1 },
    after: [{ _id: 7, b: 2 }],
  },
  {
    name: 'deleteOne',
    documents: three,
    run: async (collection) => counts(await collection.deleteOne({ x: 1 })),
    result: { deletedCount: 1 },
    after: three.slice(1),
  },
  {
    name: 'deleteMany',
    documents: three,
    run: async (collection) => counts(await collection.deleteMany({ x: 1 })),
    result: { deletedCount: 2 },
    after: three.slice(2),
  },
  {
    name: 'deleteMany of everything',
    documents: three,
    run: async (collection) => counts(await collection.deleteMany({})),
    result: { deletedCount: 3 },
    after: [],
  },
  {
    name: 'findOneAndUpdate answers the old document',
    documents: three,
    run: (collection) => collection.findOneAndUpdate({ _id: 1 }, { $set: { x: 9 } }),
    result: { _id: 1, x: 1 },
  },
  {
    name: 'findOneAndUpdate answers the new document',
    documents: three,
    run: (collection) => collection.findOneAndUpdate({ _id: 1 }, { $set: { x: 9 } }, { returnDocument: 'after' }),
    result: { _id: 1, x: 9 },
  },
  {
    name: 'findOneAndUpdate takes the first of the sort',
    documents: three,
    run: (collection) =>
      collection.findOneAndUpdate({ x: 1 }, { $set: { x: 5 } }, { sort: { _id: -1 }, projection: { _id: 1 } }),
    result: { _id: 2 },
  },
  {
    name: 'findOneAndUpdate finds nothing',
    documents: three,
    run: (collection) => collection.findOneAndUpdate({ _id: 9 }, { $set: { x: 5 } }),
    result: null,
    after: three,
  },
  {
    name: 'findOneAndUpdate upserts, old form',
    run: (collection) => collection.findOneAndUpdate({ _id: 9 }, { $set: { x: 5 } }, { upsert: true }),
    result: null,
    after: [{ _id: 9, x: 5 }],
  },
  {
    name: 'findOneAndUpdate upserts, new form',
    run: (collection) =>
      collection.findOneAndUpdate({ _id: 9 }, { $set: { x: 5 } }, { upsert: true, returnDocument: 'after' }),
    result: { _id: 9, x: 5 },
  },
  {
    name: 'findOneAndUpdate with array filters',
    documents: [{ _id: 1, a: [1, 2] }],
    run: (collection) =>
      collection.findOneAndUpdate({}, { $set: { 'a.$[i]': 0 } }, { arrayFilters: [{ i: 2 }], returnDocument: 'after' }),
    result: { _id: 1, a: [1, 0] },
  },
  {
    name: 'findOneAndReplace',
    documents: three,
    run: (collection) => collection.findOneAndReplace({ _id: 1 }, { y: 1 }, { returnDocument: 'after' }),
    result: { _id: 1, y: 1 },
  },
  {
    name: 'findOneAndDelete',
    documents: three,
    run: (collection) => collection.findOneAndDelete({ x: 1 }, { sort: { _id: -1 } }),
    result: { _id: 2, x: 1 },
    after: [three[0] as Row, three[2] as Row],
  },
  {
    name: 'bulkWrite mixes operations',
    documents: three,
    run: async (collection) =>
      counts(
        await collection.bulkWrite([
          { insertOne: { document: { _id: 4 } } },
          { updateOne: { filter: { _id: 1 }, update: { $set: { x: 7 } } } },
          { updateMany: { filter: {}, update: { $set: { z: 1 } } } },
          { replaceOne: { filter: { _id: 2 }, replacement: { r: 1 } } },
          { deleteOne: { filter: { _id: 3 } } },
          { updateOne: { filter: { _id: 8 }, update: { $set: { u: 1 } }, upsert: true } },
        ]),
      ),
    result: { insertedCount: 1, matchedCount: 6, modifiedCount: 6, deletedCount: 1, upsertedCount: 1 },
    after: [
      { _id: 1, x: 7, z: 1 },
      { _id: 2, r: 1 },
      { _id: 4, z: 1 },
      { _id: 8, u: 1 },
    ],
  },
];
