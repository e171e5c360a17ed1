import { Long, serialize } from 'bson';
import { assertSize, decode } from '../bson/raw';
import { type Document, isDocument } from '../bson/types';
import { type DocumentStream } from '../cursor/cursors';
import { pump } from '../cursor/pump';
import { failedToParse, MongoError } from '../errors';
import { promote } from '../query/expressions';
import { compileFilter } from '../query/matcher';
import { compilePipeline, isStreaming } from '../query/pipeline';
import { PAUSE, Query, type QuerySpec } from '../query/query';
import { type Collection } from '../storage/collection';
import { type Command, type CommandContext, documentOption, namespaceOf } from './command';
import { documentStream, querySpec, sizeOption } from './documents';
import { cursorReply, emptyCursor } from './reply';

export const aggregate: Command = {
  fields: {
    aggregate: 'any!',
    pipeline: 'array!',
    cursor: 'object',
    explain: 'bool',
    allowDiskUse: 'bool',
    bypassDocumentValidation: 'bool',
    collation: 'object',
    hint: 'hint',
    let: 'object',
    maxTimeMS: 'number',
  },
  async run(context) {
    const { engine, options, pacer } = context;
    const pipeline = options.pipeline as Document[];
    // `aggregate: 1` runs on no collection; only pipelines that begin with $documents can.
    const onDatabase = typeof options.aggregate !== 'string';
    const namespace = onDatabase ? `${context.database}.$cmd.aggregate` : namespaceOf(context, 'aggregate');
    if (options.cursor === undefined && options.explain !== true) {
      throw failedToParse("The 'cursor' option is required, except for aggregate with the explain argument");
    }
    const stream = await streamOf(context, namespace, pipeline);
    const size = sizeOption(documentOption(options, 'cursor'));
    if (!stream) return emptyCursor(namespace, Long.ZERO);
    return cursorReply(namespace, 'firstBatch', await engine.cursors.start(namespace, stream, size, false, pacer));
  },
};

/** The stages at the head of a pipeline that a query does better than a pipeline: it can use an index. */
export function leadingQuery(
  pipeline: readonly Document[],
  options: Document,
): { spec: QuerySpec; rest: readonly Document[] } {
  const taken: Document = {};
  let at = 0;
  for (const [stage, field] of [
    ['$match', 'filter'],
    ['$sort', 'sort'],
    ['$skip', 'skip'],
    ['$limit', 'limit'],
  ] as const) {
    const operand = isDocument(pipeline[at]) ? pipeline[at]?.[stage] : undefined;
    if (operand === undefined) continue;
    // A limit of nothing is an error for the pipeline to report.
    const value = promote(operand);
    if ((field === 'skip' || field === 'limit') && (typeof value !== 'number' || value < 1)) break;
    if ((field === 'filter' || field === 'sort') && !isDocument(operand)) break;
    taken[field] = field === 'filter' || field === 'sort' ? operand : value;
    at++;
  }
  const { filter = {}, ...rest } = taken;
  return {
    spec: querySpec({ ...rest, hint: options.hint, let: options.let }, filter as Document),
    rest: pipeline.slice(at),
  };
}

async function streamOf(
  context: CommandContext,
  namespace: string,
  pipeline: readonly Document[],
): Promise<DocumentStream | undefined> {
  const { engine, options, pacer, database } = context;
  const { spec, rest } = leadingQuery(pipeline, options);
  compileFilter(spec.filter, spec.variables);
  const stages = compilePipeline(rest, spec.variables ?? {}, (name) => engine.catalog.get(`${database}.${name}`));
  const collection = engine.catalog.get(namespace);
  if (!collection && rest.length === 0) return undefined;
  const query = collection && new Query(collection, spec);
  if (query && rest.length === 0) return documentStream(query, undefined);
  const counted = collection && (await countOnly(collection, spec, rest, context));
  if (counted !== undefined) return fromArray(counted);
  if (query && isStreaming(rest)) return chunked(query, stages);
  const input: Document[] = [];
  if (query)
    await pump(query.run(), ({ raw, document }) => void input.push(query.typed ? decode(raw) : document), pacer);
  return fromArray(stages(input));
}

function* fromArray(documents: readonly Document[]): DocumentStream {
  for (const [i, document] of documents.entries()) {
    if (i % 200 === 199) yield PAUSE;
    yield encodeResult(document);
  }
}

/** Stages that look at one document at a time run on a few hundred at once, so a large result is never held whole. */
function* chunked(query: Query, stages: (input: Document[]) => Document[]): DocumentStream {
  let chunk: Document[] = [];
  for (const match of query.run()) {
    if (match === PAUSE) {
      yield PAUSE;
      continue;
    }
    chunk.push(decode(match.raw));
    if (chunk.length < 200) continue;
    for (const document of stages(chunk)) yield encodeResult(document);
    chunk = [];
  }
  for (const document of stages(chunk)) yield encodeResult(document);
}

function encodeResult(document: Document): Buffer {
  if (!isDocument(document)) throw new MongoError(40228, "'newRoot' expression must evaluate to an object");
  // A field that evaluates to nothing is left out.
  const bytes = Buffer.from(serialize(document, { ignoreUndefined: true }));
  assertSize(bytes.length);
  return bytes;
}

/** `[{$group: {_id: <constant>, n: {$sum: 1}}}]`, which is how drivers count: no document has to be decoded twice or kept. */
async function countOnly(
  collection: Collection,
  spec: QuerySpec,
  rest: readonly Document[],
  { pacer }: CommandContext,
): Promise<Document[] | undefined> {
  const group = rest.length === 1 ? rest[0]?.$group : undefined;
  if (!isDocument(group) || isDocument(group._id) || typeof group._id === 'string') return undefined;
  const [field, ...others] = Object.entries(group).filter(([name]) => name !== '_id');
  if (!field || others.length > 0 || !isDocument(field[1]) || promote(field[1].$sum) !== 1) return undefined;
  let n = 0;
  if (Object.keys(spec.filter).length === 0 && spec.skip === 0 && spec.limit === 0) n = collection.count;
  else await pump(new Query(collection, { ...spec, sort: [] }).run(), () => void n++, pacer);
  return n === 0 ? [] : [{ _id: promote(group._id), [field[0]]: n }];
}
