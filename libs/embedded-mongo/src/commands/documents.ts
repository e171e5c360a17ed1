import { Long } from 'bson';
import { decodeTyped, encode } from '../bson/raw';
import { type Document, isDocument } from '../bson/types';
import { type DocumentStream } from '../cursor/cursors';
import { pump } from '../cursor/pump';
import { badValue, MongoError } from '../errors';
import { type Hint } from '../index/planner';
import { promote } from '../query/expressions';
import { compileFilter } from '../query/matcher';
import { compileProjection, type Projection } from '../query/projection';
import { PAUSE, Query, type QuerySpec } from '../query/query';
import { parseSort } from '../query/sort';
import { type Command, type CommandContext, documentOption, longOption, namespaceOf, numberOption } from './command';
import { cursorReply, emptyCursor } from './reply';

const READ_FIELDS = {
  collation: 'object',
  hint: 'hint',
  let: 'object',
  maxTimeMS: 'number',
} as const;

/** The query part of a command's options, checked. */
export function querySpec(options: Document, filter: Document): QuerySpec {
  const skip = numberOption(options, 'skip') ?? 0;
  const limit = numberOption(options, 'limit') ?? 0;
  if (skip < 0) throw badValue(`BSON field 'skip' value must be >= 0, actual value '${skip}'`);
  if (limit < 0) throw badValue(`BSON field 'limit' value must be >= 0, actual value '${limit}'`);
  return {
    filter,
    sort: parseSort(documentOption(options, 'sort')),
    skip: Math.trunc(skip),
    limit: Math.trunc(limit),
    hint: hintOption(options.hint),
    variables: promote(documentOption(options, 'let')) as Document,
  };
}

export function hintOption(hint: unknown): Hint | undefined {
  if (typeof hint === 'string') return hint === '' ? undefined : { name: hint };
  return isDocument(hint) && Object.keys(hint).length > 0 ? { key: hint } : undefined;
}

/** Encoded results of a query. Without a projection they are the stored bytes. */
export function* documentStream(query: Query, projection: Projection | undefined): DocumentStream {
  for (const match of query.run()) {
    if (match === PAUSE) yield PAUSE;
    else yield projection ? encode(projection(decodeTyped(match.raw), match.state)) : match.raw;
  }
}

export const find: Command = {
  fields: {
    ...READ_FIELDS,
    find: 'any!',
    filter: 'object',
    projection: 'object',
    sort: 'object',
    skip: 'number',
    limit: 'number',
    batchSize: 'number',
    singleBatch: 'bool',
    noCursorTimeout: 'bool',
    allowDiskUse: 'bool',
    allowPartialResults: 'bool',
    oplogReplay: 'bool',
    tailable: 'bool',
    awaitData: 'bool',
    returnKey: 'bool',
    showRecordId: 'bool',
    min: 'object',
    max: 'object',
  },
  async run(context) {
    const { engine, options, pacer } = context;
    const namespace = namespaceOf(context, 'find');
    refuse(options);
    const spec = querySpec(options, documentOption(options, 'filter'));
    const projection = compileProjection(documentOption(options, 'projection'), spec.variables);
    compileFilter(spec.filter, spec.variables);
    const collection = engine.catalog.get(namespace);
    if (!collection) return emptyCursor(namespace, Long.ZERO);
    const stream = documentStream(new Query(collection, spec), projection);
    const batchSize = sizeOption(options);
    const batch = await engine.cursors.start(namespace, stream, batchSize, options.singleBatch === true, pacer);
    return cursorReply(namespace, 'firstBatch', batch);
  },
};

function refuse(options: Document): void {
  if (options.tailable === true)
    throw badValue('error processing query: tailable cursor requested on non capped collection');
  for (const option of ['min', 'max', 'returnKey', 'showRecordId']) {
    const value = options[option];
    if (value !== undefined && value !== false && !(isDocument(value) && Object.keys(value).length === 0)) {
      throw new MongoError(115, `find option '${option}' is not supported by this server`);
    }
  }
}

export function sizeOption(options: Document): number | undefined {
  const size = numberOption(options, 'batchSize');
  if (size !== undefined && size < 0)
    throw badValue(`BSON field 'batchSize' value must be >= 0, actual value '${size}'`);
  return size;
}

export const getMore: Command = {
  fields: { getMore: 'long!', collection: 'string!', batchSize: 'number', maxTimeMS: 'number' },
  async run(context) {
    const { engine, options, pacer } = context;
    const namespace = namespaceOf(context, 'collection');
    const id = longOption(options, 'getMore');
    const batch = await engine.cursors.more(namespace, id, sizeOption(options), pacer);
    return cursorReply(namespace, 'nextBatch', batch);
  },
};

export const killCursors: Command = {
  fields: { killCursors: 'string!', cursors: 'array!' },
  run({ engine, options }) {
    const cursorsKilled: Long[] = [];
    const cursorsNotFound: Long[] = [];
    for (const id of options.cursors as Long[]) {
      (engine.cursors.kill(id) ? cursorsKilled : cursorsNotFound).push(id);
    }
    return { cursorsKilled, cursorsNotFound, cursorsAlive: [], cursorsUnknown: [] };
  },
};

export const count: Command = {
  fields: { ...READ_FIELDS, count: 'any!', query: 'object', skip: 'number', limit: 'number', fields: 'object' },
  async run(context) {
    return { n: await countMatches(context) };
  },
};

async function countMatches(context: CommandContext): Promise<number> {
  const { engine, options, pacer } = context;
  const collection = engine.catalog.get(namespaceOf(context, 'count'));
  const limit = Math.abs(numberOption(options, 'limit') ?? 0);
  const spec = querySpec({ ...options, limit }, documentOption(options, 'query'));
  compileFilter(spec.filter);
  if (!collection) return 0;
  if (Object.keys(spec.filter).length === 0) {
    const rest = Math.max(0, collection.count - spec.skip);
    return limit > 0 ? Math.min(limit, rest) : rest;
  }
  let n = 0;
  await pump(new Query(collection, spec).run(), () => void n++, pacer);
  return n;
}
