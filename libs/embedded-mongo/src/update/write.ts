import { decode, decodeTyped, encode } from '../bson/raw';
import { type Pacer, pump } from '../cursor/pump';
import { type MatchState } from '../query/condition';
import { type Match, Query, type QuerySpec } from '../query/query';
import { compileFilter } from '../query/matcher';
import { type Catalog } from '../storage/catalog';
import { type Collection } from '../storage/collection';
import { type Store, type WriteTransaction } from '../storage/store';
import { applyUpdate, upsertDocument } from './apply';
import { type Update } from './parse';

export interface Database {
  store: Store;
  catalog: Catalog;
}

export interface UpdateRequest {
  query: QuerySpec;
  update: Update;
  upsert: boolean;
}

/** Documents as bytes before and after a write; `after` is missing when the document was removed. */
export interface Change {
  before?: Match;
  after?: Buffer;
  upsertedId?: unknown;
}

export interface UpdateResult {
  matched: number;
  modified: number;
  upsertedId?: unknown;
}

/** Collections up to this size are scanned inside the write's transaction; larger ones beforehand, in pauses. */
const SCAN_IN_TRANSACTION = 2000;
const WRITES_PER_TRANSACTION = 100;
const RETRIES = 100;
const RETRY = Symbol('retry');

/**
 * Finds one document, changes it and answers both versions, as one atomic step. When the scan has to happen before the
 * transaction, the match is tested again inside it and the search is repeated if the document changed meanwhile.
 */
export async function changeOne(
  { store, catalog }: Database,
  namespace: string,
  spec: QuerySpec,
  pacer: Pacer,
  change: (transaction: WriteTransaction, collection: Collection | undefined, match: Match | undefined) => Change,
): Promise<Change> {
  compileFilter(spec.filter, spec.variables);
  for (let attempt = 0; attempt < RETRIES; attempt++) {
    const collection = catalog.get(namespace);
    const candidate = collection && isLong(collection, spec) ? await firstOf(collection, spec, pacer) : undefined;
    const result = await store.write((transaction) => {
      const current = catalog.get(namespace);
      if (current !== collection) return RETRY;
      if (!current) return change(transaction, undefined, undefined);
      const query = new Query(current, { ...spec, limit: 1 });
      if (!candidate) return change(transaction, current, isLong(current, spec) ? undefined : query.first());
      const match = query.reread(candidate.recordId);
      return match ? change(transaction, current, match) : RETRY;
    });
    if (result !== RETRY) return result;
  }
  throw new Error(`a document of ${namespace} kept changing while it was looked for`);
}

/** Runs `change` on every match, in transactions of bounded size; each document changes atomically. */
export async function changeMany(
  { store, catalog }: Database,
  namespace: string,
  spec: QuerySpec,
  pacer: Pacer,
  change: (transaction: WriteTransaction, collection: Collection, match: Match) => void,
): Promise<void> {
  compileFilter(spec.filter, spec.variables);
  const collection = catalog.get(namespace);
  if (!collection) return;
  if (collection.count <= WRITES_PER_TRANSACTION) {
    await store.write((transaction) => {
      if (catalog.get(namespace) !== collection) return;
      // Collected first: a change must not bring a document before the scan a second time.
      for (const match of [...new Query(collection, spec).run()]) if (match) change(transaction, collection, match);
    });
    return;
  }
  const recordIds: number[] = [];
  const query = new Query(collection, spec);
  await pump(query.run(), ({ recordId }) => void recordIds.push(recordId), pacer);
  for (let at = 0; at < recordIds.length; at += WRITES_PER_TRANSACTION) {
    await store.write((transaction) => {
      if (catalog.get(namespace) !== collection) return;
      for (const recordId of recordIds.slice(at, at + WRITES_PER_TRANSACTION)) {
        const match = query.reread(recordId);
        if (match) change(transaction, collection, match);
      }
    });
  }
}

function isLong(collection: Collection, spec: QuerySpec): boolean {
  return collection.count > SCAN_IN_TRANSACTION && new Query(collection, spec).plan.stage === 'COLLSCAN';
}

async function firstOf(collection: Collection, spec: QuerySpec, pacer: Pacer): Promise<Match | undefined> {
  let first: Match | undefined;
  await pump(
    new Query(collection, { ...spec, limit: 1 }).run(),
    (match) => {
      first = match;
      return false;
    },
    pacer,
  );
  return first;
}

/** Updates or upserts one document. */
export function updateOne(
  database: Database,
  namespace: string,
  request: UpdateRequest,
  pacer: Pacer,
): Promise<Change> {
  return changeOne(database, namespace, request.query, pacer, (transaction, collection, match) => {
    if (collection && match) return updateMatch(transaction, collection, match, request);
    if (!request.upsert) return {};
    return insertUpsert(transaction, collection ?? database.catalog.create(transaction, namespace), request);
  });
}

export async function updateMany(
  database: Database,
  namespace: string,
  request: UpdateRequest,
  pacer: Pacer,
): Promise<UpdateResult> {
  const result: UpdateResult = { matched: 0, modified: 0 };
  await changeMany(database, namespace, request.query, pacer, (transaction, collection, match) => {
    const { after } = updateMatch(transaction, collection, match, request);
    result.matched++;
    if (after !== match.raw) result.modified++;
  });
  if (result.matched > 0 || !request.upsert) return result;
  const { upsertedId } = await database.store.write((transaction) =>
    insertUpsert(transaction, database.catalog.ensure(transaction, namespace), request),
  );
  return { ...result, upsertedId };
}

function updateMatch(
  transaction: WriteTransaction,
  collection: Collection,
  match: Match,
  request: UpdateRequest,
): Change {
  const { update, query } = request;
  const state: MatchState = match.state;
  const after = encode(applyUpdate(update, decodeTyped(match.raw), state, query.variables));
  if (after.equals(match.raw)) return { before: match, after: match.raw };
  collection.replace(transaction, match, after);
  return { before: match, after };
}

function insertUpsert(transaction: WriteTransaction, collection: Collection, { update, query }: UpdateRequest): Change {
  const document = upsertDocument(update, query.filter, query.variables);
  const after = encode(document);
  collection.insert(transaction, after, decode(after));
  return { after, upsertedId: document._id };
}
