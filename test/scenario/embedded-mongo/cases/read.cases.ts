import { Binary, Decimal128, Long, ObjectId } from 'mongodb';
import { type Case, type Row } from './cases';

const people: Row[] = [
  { _id: 1, name: 'Ada', age: 36, tags: ['math', 'code'], address: { city: 'London' } },
  { _id: 2, name: 'Bob', age: 41, tags: [], address: { city: 'Paris' } },
  { _id: 3, name: 'Cyd', tags: ['code'], address: null },
  {
    _id: 4,
    name: 'Dee',
    age: null,
    scores: [
      { k: 'a', v: 1 },
      { k: 'b', v: 7 },
    ],
  },
  { _id: 5, name: 'Eve', age: '41', scores: [{ k: 'a', v: 9 }] },
];

/** The ids a filter finds, in natural order. */
const finds = (name: string, filter: Row, ids: unknown[], documents: Row[] = people): Case => ({
  name: `find ${name}`,
  documents,
  run: async (collection) => (await collection.find(filter).toArray()).map(({ _id }) => _id),
  result: ids,
});

const fails = (name: string, filter: Row, code: number): Case => ({
  name: `find ${name}`,
  documents: people,
  run: (collection) => collection.find(filter).toArray(),
  result: { error: code },
});

const id = new ObjectId('64b000000000000000000001');

export const filterCases: Case[] = [
  finds('everything', {}, [1, 2, 3, 4, 5]),
  finds('by equality', { name: 'Bob' }, [2]),
  finds('by equality never crosses types', { age: 41 }, [2]),
  finds('null matches null and missing', { age: null }, [3, 4]),
  finds('$exists true includes null', { age: { $exists: true } }, [1, 2, 4, 5]),
  finds('$exists false', { age: { $exists: false } }, [3]),
  finds('$ne includes missing', { age: { $ne: 41 } }, [1, 3, 4, 5]),
  finds('$gt stays within numbers', { age: { $gt: 0 } }, [1, 2]),
  finds('$lt stays within strings', { age: { $lt: 'z' } }, [5]),
  finds('$gte null is null or missing', { age: { $gte: null } }, [3, 4]),
  finds('$gt null is nothing', { age: { $gt: null } }, []),
  finds('$in with null', { age: { $in: [36, null] } }, [1, 3, 4]),
  finds('$nin', { age: { $nin: [36, null] } }, [2, 5]),
  finds('$in with a pattern', { name: { $in: [/^a/i, 'Bob'] } }, [1, 2]),
  finds('an array element', { tags: 'code' }, [1, 3]),
  finds('a whole array', { tags: ['code'] }, [3]),
  finds('an empty array', { tags: [] }, [2]),
  finds('$size', { tags: { $size: 2 } }, [1]),
  finds('$all', { tags: { $all: ['code', 'math'] } }, [1]),
  finds('$all of nothing', { tags: { $all: [] } }, []),
  finds('$elemMatch on documents', { scores: { $elemMatch: { k: 'a', v: { $gt: 5 } } } }, [5]),
  finds('conditions met by two elements', { 'scores.k': 'a', 'scores.v': { $gt: 5 } }, [4, 5]),
  finds(
    '$elemMatch on values',
    { n: { $elemMatch: { $gt: 2, $lt: 5 } } },
    [2],
    [
      { _id: 1, n: [1, 6] },
      { _id: 2, n: [1, 3] },
    ],
  ),
  finds(
    'a range met by two elements',
    { n: { $gt: 2, $lt: 5 } },
    [1, 2],
    [
      { _id: 1, n: [1, 6] },
      { _id: 2, n: [1, 3] },
    ],
  ),
  finds('a nested field', { 'address.city': 'Paris' }, [2]),
  finds('a nested field that is null', { 'address.city': null }, [3, 4, 5]),
  finds('a subdocument as a whole', { address: { city: 'Paris' } }, [2]),
  finds(
    'a subdocument with another field order',
    { a: { x: 1, y: 2 } },
    [1],
    [
      { _id: 1, a: { x: 1, y: 2 } },
      { _id: 2, a: { y: 2, x: 1 } },
    ],
  ),
  finds('a position of an array', { 'tags.1': 'code' }, [1]),
  finds(
    'null through an array without the field',
    { 'a.b': null },
    [2, 4],
    [{ _id: 1, a: [{ b: 1 }] }, { _id: 2, a: [{ b: 1 }, {}] }, { _id: 3, a: [] }, { _id: 4 }],
  ),
  finds('$regex with options', { name: { $regex: '^d', $options: 'i' } }, [4]),
  finds('a pattern', { name: /e$/ }, [4, 5]),
  finds('$not', { age: { $not: { $gt: 40 } } }, [1, 3, 4, 5]),
  finds('$not with a pattern', { name: { $not: /^[A-C]/ } }, [4, 5]),
  finds('$or', { $or: [{ name: 'Ada' }, { age: 41 }] }, [1, 2]),
  finds('$and', { $and: [{ tags: 'code' }, { age: { $exists: true } }] }, [1]),
  finds('$nor', { $nor: [{ tags: 'code' }, { age: 41 }] }, [4, 5]),
  finds('$mod', { age: { $mod: [5, 1] } }, [1, 2]),
  finds('$type by name', { age: { $type: 'string' } }, [5]),
  finds('$type by number', { age: { $type: 10 } }, [4]),
  finds('$type of an element', { tags: { $type: 'string' } }, [1, 3]),
  finds(
    '$type int and double',
    { n: { $type: 'double' } },
    [2],
    [
      { _id: 1, n: 5 },
      { _id: 2, n: 5.5 },
      { _id: 3, n: Long.fromNumber(5) },
    ],
  ),
  finds(
    'numbers of every type are one',
    { n: 5 },
    [1, 2, 3],
    [
      { _id: 1, n: 5 },
      { _id: 2, n: Decimal128.fromString('5.0') },
      { _id: 3, n: Long.fromNumber(5) },
    ],
  ),
  finds(
    '64-bit integers exactly',
    { n: Long.fromString('9007199254740993') },
    [2],
    [
      { _id: 1, n: Long.fromString('9007199254740992') },
      { _id: 2, n: Long.fromString('9007199254740993') },
    ],
  ),
  finds(
    'NaN equals itself',
    { n: NaN },
    [1],
    [
      { _id: 1, n: NaN },
      { _id: 2, n: 0 },
    ],
  ),
  finds(
    'NaN is in no range',
    { n: { $lt: 5 } },
    [2],
    [
      { _id: 1, n: NaN },
      { _id: 2, n: 0 },
    ],
  ),
  finds(
    'dates by range',
    { at: { $gte: new Date(1000) } },
    [2],
    [
      { _id: 1, at: new Date(999) },
      { _id: 2, at: new Date(1000) },
    ],
  ),
  finds(
    'object ids',
    { ref: id },
    [1],
    [
      { _id: 1, ref: id },
      { _id: 2, ref: new ObjectId() },
    ],
  ),
  finds(
    'binary',
    { b: new Binary(Buffer.from([1, 255])) },
    [1],
    [
      { _id: 1, b: new Binary(Buffer.from([1, 255])) },
      { _id: 2, b: new Binary(Buffer.from([1, 254])) },
    ],
  ),
  finds(
    '$expr comparing two fields',
    { $expr: { $gt: ['$a', '$b'] } },
    [2],
    [
      { _id: 1, a: 1, b: 2 },
      { _id: 2, a: 3, b: 2 },
    ],
  ),
  finds(
    '$bitsAllSet',
    { n: { $bitsAllSet: [0, 2] } },
    [2],
    [
      { _id: 1, n: 4 },
      { _id: 2, n: 5 },
    ],
  ),
  finds('$comment is no condition', { $comment: 'why', name: 'Ada' }, [1]),
  fails('refuses an unknown operator', { age: { $foo: 1 } }, 2),
  fails('refuses an unknown top-level operator', { $foo: 1 }, 2),
  fails('refuses an $or that is no array', { $or: { a: 1 } }, 2),
  fails('refuses an $in that is no array', { a: { $in: 1 } }, 2),
  fails('refuses an empty $and', { $and: [] }, 2),
  fails('refuses an unknown type', { a: { $type: 'nope' } }, 2),
];

const lists: Row[] = [
  { _id: 1, v: 3 },
  { _id: 2, v: 'a' },
  { _id: 3, v: null },
  { _id: 4 },
  { _id: 5, v: { x: 1 } },
  { _id: 6, v: true },
  { _id: 7, v: new Date(0) },
  { _id: 8, v: [5, -1] },
  { _id: 9, v: -0.5 },
];

const sorts = (name: string, sort: Record<string, 1 | -1>, ids: number[], documents = lists): Case => ({
  name: `sort ${name}`,
  documents,
  run: async (collection) => (await collection.find().sort(sort).toArray()).map(({ _id }) => _id),
  result: ids,
});

export const cursorCases: Case[] = [
  sorts('by type, then value', { v: 1, _id: 1 }, [3, 4, 8, 9, 1, 2, 5, 6, 7]),
  sorts('descending takes an array by its greatest', { v: -1, _id: 1 }, [7, 6, 5, 2, 8, 1, 9, 3, 4]),
  sorts(
    'by two fields',
    { a: 1, b: -1 },
    [3, 1, 2],
    [
      { _id: 1, a: 1, b: 5 },
      { _id: 2, a: 1, b: 2 },
      { _id: 3, a: 0, b: 0 },
    ],
  ),
  {
    name: 'skip and limit follow the sort',
    documents: lists,
    run: async (collection) =>
      (await collection.find().sort({ _id: -1 }).skip(2).limit(3).toArray()).map(({ _id }) => _id),
    result: [7, 6, 5],
  },
  {
    name: 'batches give every document once',
    documents: Array.from({ length: 250 }, (_, i) => ({ _id: i })),
    run: async (collection) => (await collection.find().batchSize(7).toArray()).length,
    result: 250,
  },
  {
    name: 'a negative limit is a single batch',
    documents: lists,
    run: async (collection) => (await collection.find().limit(-2).toArray()).length,
    result: 2,
  },
  {
    name: 'findOne finds nothing',
    run: (collection) => collection.findOne({ _id: 1 }),
    result: null,
  },
  {
    name: 'count with skip and limit',
    documents: lists,
    run: (collection) => collection.countDocuments({}, { skip: 2, limit: 3 }),
    result: 3,
  },
  { name: 'estimated count', documents: lists, run: (collection) => collection.estimatedDocumentCount(), result: 9 },
  {
    name: 'distinct takes arrays apart',
    documents: [{ _id: 1, t: ['b', 'a'] }, { _id: 2, t: 'a' }, { _id: 3 }],
    run: async (collection) => (await collection.distinct('t')).map(String).sort(),
    result: ['a', 'b'],
  },
  {
    name: 'distinct with a filter and a nested key',
    documents: [
      { _id: 1, a: { b: 1 } },
      { _id: 2, a: { b: 2 } },
      { _id: 3, a: { b: 2 } },
    ],
    run: (collection) => collection.distinct('a.b', { _id: { $gt: 1 } }),
    result: [2],
  },
];

const projects = (name: string, projection: Row, result: unknown, filter: Row = {}): Case => ({
  name: `project ${name}`,
  documents: [
    {
      _id: 1,
      a: 1,
      b: { c: 2, d: 3 },
      list: [
        { x: 1, y: 2 },
        { x: 3, y: 4 },
        { x: 5, y: 6 },
      ],
    },
  ],
  run: (collection) => collection.findOne(filter, { projection }),
  result,
});

export const projectionCases: Case[] = [
  projects('keeps what is asked for, and the id', { a: 1 }, { _id: 1, a: 1 }),
  projects('leaves the id out', { a: 1, _id: 0 }, { a: 1 }),
  projects('excludes', { list: 0, b: 0 }, { _id: 1, a: 1 }),
  projects('excludes only the id', { _id: 0, list: 0 }, { a: 1, b: { c: 2, d: 3 } }),
  projects('a nested field', { 'b.c': 1 }, { _id: 1, b: { c: 2 } }),
  projects('excludes a nested field', { 'b.c': 0, list: 0 }, { _id: 1, a: 1, b: { d: 3 } }),
  projects('fields of an array', { 'list.x': 1 }, { _id: 1, list: [{ x: 1 }, { x: 3 }, { x: 5 }] }),
  projects('a slice', { list: { $slice: [1, 1] }, a: 1 }, { _id: 1, a: 1, list: [{ x: 3, y: 4 }] }),
  projects(
    'a slice from the end keeps the rest',
    { list: { $slice: -1 }, b: 0 },
    { _id: 1, a: 1, list: [{ x: 5, y: 6 }] },
  ),
  projects(
    'the first matching element',
    { list: { $elemMatch: { x: { $gt: 1 } } } },
    { _id: 1, list: [{ x: 3, y: 4 }] },
  ),
  projects('the matched position', { 'list.$': 1 }, { _id: 1, list: [{ x: 5, y: 6 }] }, { 'list.y': 6 }),
  projects('an expression', { total: { $add: ['$a', '$b.c'] } }, { _id: 1, total: 3 }),
  projects('a mix is refused', { a: 1, b: 0 }, { error: 31254 }),
  projects('a missing field gives the id alone', { nope: 1 }, { _id: 1 }),
];
