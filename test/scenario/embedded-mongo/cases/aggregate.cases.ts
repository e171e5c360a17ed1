import { type Case, type Row, type Stored } from './cases';

const sales: Row[] = [
  { _id: 1, item: 'a', qty: 2, price: 10, tags: ['x', 'y'] },
  { _id: 2, item: 'b', qty: 1, price: 20, tags: [] },
  { _id: 3, item: 'a', qty: 5, price: 10 },
];

const pipeline = (name: string, stages: Row[], result: unknown, documents: Row[] = sales): Case => ({
  name: `aggregate ${name}`,
  documents,
  run: (collection) => collection.aggregate(stages).toArray(),
  result,
});

export const aggregateCases: Case[] = [
  pipeline('nothing', [], sales),
  pipeline(
    '$match, $sort, $skip, $limit',
    [{ $match: { item: 'a' } }, { $sort: { _id: -1 } }, { $skip: 1 }, { $limit: 1 }],
    [sales[0]],
  ),
  pipeline(
    '$group with accumulators',
    [
      {
        $group: {
          _id: '$item',
          total: { $sum: { $multiply: ['$qty', '$price'] } },
          max: { $max: '$qty' },
          n: { $sum: 1 },
        },
      },
      { $sort: { _id: 1 } },
    ],
    [
      { _id: 'a', total: 70, max: 5, n: 2 },
      { _id: 'b', total: 20, max: 1, n: 1 },
    ],
  ),
  pipeline(
    '$group by nothing',
    [{ $group: { _id: null, avg: { $avg: '$qty' }, first: { $first: '$item' } } }],
    [{ _id: null, avg: 8 / 3, first: 'a' }],
  ),
  pipeline('$group of an empty input', [{ $match: { _id: 99 } }, { $group: { _id: null, n: { $sum: 1 } } }], []),
  pipeline('$count', [{ $match: { item: 'a' } }, { $count: 'n' }], [{ n: 2 }]),
  pipeline(
    '$project with expressions',
    [{ $project: { _id: 0, item: 1, cost: { $multiply: ['$qty', '$price'] } } }, { $limit: 1 }],
    [{ item: 'a', cost: 20 }],
  ),
  pipeline(
    '$addFields and $unset',
    [{ $match: { _id: 2 } }, { $addFields: { big: { $gt: ['$price', 15] } } }, { $unset: ['tags', 'qty'] }],
    [{ _id: 2, item: 'b', price: 20, big: true }],
  ),
  pipeline(
    '$unwind',
    [{ $unwind: '$tags' }, { $project: { tags: 1 } }],
    [
      { _id: 1, tags: 'x' },
      { _id: 1, tags: 'y' },
    ],
  ),
  pipeline(
    '$unwind that keeps the empty',
    [{ $unwind: { path: '$tags', preserveNullAndEmptyArrays: true } }, { $project: { tags: 1 } }],
    [{ _id: 1, tags: 'x' }, { _id: 1, tags: 'y' }, { _id: 2 }, { _id: 3 }],
  ),
  pipeline('$unwind keeps an empty string', [{ $unwind: '$v' }], [{ _id: 1, v: '' }], [{ _id: 1, v: '' }]),
  pipeline('$replaceRoot', [{ $replaceRoot: { newRoot: { k: '$item' } } }, { $limit: 1 }], [{ k: 'a' }]),
  pipeline(
    '$sortByCount',
    [{ $sortByCount: '$item' }],
    [
      { _id: 'a', count: 2 },
      { _id: 'b', count: 1 },
    ],
  ),
  pipeline(
    '$facet',
    [{ $facet: { n: [{ $count: 'n' }], a: [{ $match: { _id: 2 } }, { $project: { item: 1 } }] } }],
    [{ n: [{ n: 3 }], a: [{ _id: 2, item: 'b' }] }],
  ),
  pipeline(
    'comparison across types',
    [{ $project: { lt: { $lt: ['$a', '$b'] } } }],
    [{ _id: 1, lt: true }],
    [{ _id: 1, a: 5, b: 'x' }],
  ),
  pipeline('refuses an unknown stage', [{ $nope: 1 }], { error: 40324 }),
  pipeline('refuses an unknown expression', [{ $project: { a: { $nope: 1 } } }], { error: 168 }),
  pipeline('refuses an unknown accumulator', [{ $group: { _id: null, a: { $nope: 1 } } }], { error: 15952 }),
  pipeline('refuses a $group without an id', [{ $group: { n: { $sum: 1 } } }], { error: 15955 }),
  pipeline('refuses a limit of nothing', [{ $limit: 0 }], { error: 15958 }),
  {
    name: 'aggregate $lookup by field',
    documents: [{ _id: 1, ref: 10 }, { _id: 2, ref: [10, 11] }, { _id: 3 }],
    run: async (collection, db) => {
      const from = `${collection.collectionName}_other`;
      await db.collection<Stored>(from).insertMany([
        { _id: 10, n: 'ten' },
        { _id: 11, n: 'eleven' },
      ]);
      return collection
        .aggregate([
          { $lookup: { from, localField: 'ref', foreignField: '_id', as: 'joined' } },
          { $project: { names: '$joined.n' } },
        ])
        .toArray();
    },
    result: [
      { _id: 1, names: ['ten'] },
      { _id: 2, names: ['ten', 'eleven'] },
      { _id: 3, names: [] },
    ],
  },
  {
    name: 'aggregate $lookup by pipeline',
    documents: [{ _id: 1, min: 11 }],
    run: async (collection, db) => {
      const from = `${collection.collectionName}_other`;
      await db.collection<Stored>(from).insertMany([{ _id: 10 }, { _id: 11 }, { _id: 12 }]);
      return collection
        .aggregate([
          {
            $lookup: {
              from,
              let: { least: '$min' },
              pipeline: [{ $match: { $expr: { $gte: ['$_id', '$$least'] } } }],
              as: 'joined',
            },
          },
        ])
        .toArray();
    },
    result: [{ _id: 1, min: 11, joined: [{ _id: 11 }, { _id: 12 }] }],
  },
];
