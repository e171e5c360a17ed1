import { type Document } from '../bson/types';
import { Pacer } from '../cursor/pump';
import { type CollectionIndex } from '../index/collection-index';
import { visitPath } from '../query/path';
import { changeMany, type Database } from '../update/write';
import { type Collection } from './collection';

/** Deletes every document whose date in a TTL index's field, plus the index's seconds, has passed. */
export async function deleteExpired(database: Database, signal: AbortSignal, now = Date.now()): Promise<void> {
  for (const collection of database.catalog.list()) {
    for (const index of collection.indexes) {
      if (signal.aborted) return;
      if (index.spec.expireAfterSeconds !== undefined) await expire(database, collection, index, now);
    }
  }
}

async function expire(database: Database, collection: Collection, index: CollectionIndex, now: number): Promise<void> {
  const [field] = index.fields;
  if (field === undefined) return;
  const before = new Date(now - (index.spec.expireAfterSeconds ?? 0) * 1000);
  const query = { filter: expiryFilter(field, before, index), sort: [], skip: 0, limit: 0 };
  await changeMany(database, collection.namespace, query, new Pacer(), (transaction, current, match) => {
    if (earliest(match.document, field) <= before.getTime()) current.remove(transaction, match);
  });
}

/** With a partial index the filter repeats the index's own, so that the plan may use it. */
function expiryFilter(field: string, before: Date, index: CollectionIndex): Document {
  const due = { [field]: { $lte: before } };
  const { partialFilterExpression } = index.spec;
  return partialFilterExpression ? { $and: [due, partialFilterExpression] } : due;
}

/** Of an array of dates the earliest counts. */
function earliest(document: Document, field: string): number {
  let least = Infinity;
  visitPath(document, field.split('.'), (value) => {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (item instanceof Date) least = Math.min(least, item.getTime());
    }
    return false;
  });
  return least;
}
