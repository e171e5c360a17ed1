import { decode, decodeTyped, withIdFirst } from '../bson/raw';
import { type Document } from '../bson/types';
import { MongoError, notSupported } from '../errors';
import { promote } from '../query/expressions';
import { parseUpdate } from '../update/parse';
import { assertId } from '../update/values';
import { changeMany, changeOne, updateMany, updateOne } from '../update/write';
import { checkStatement, type Command, type CommandContext, documentOption, namespaceOf } from './command';
import { hintOption } from './documents';

const MAX_BATCH = 100_000;
const INSERTS_PER_TRANSACTION = 250;

const WRITE_FIELDS = { ordered: 'bool', bypassDocumentValidation: 'bool', maxTimeMS: 'number', let: 'object' } as const;

interface WriteError {
  index: number;
  error: MongoError;
}

function statements(context: CommandContext, field: string): Buffer[] {
  const documents = context.rawDocuments.get(field) ?? [];
  if (documents.length < 1 || documents.length > MAX_BATCH) {
    throw new MongoError(
      16,
      `Write batch sizes must be between 1 and ${MAX_BATCH}. Got ${documents.length} operations.`,
    );
  }
  return documents;
}

function writeReply(fields: Document, errors: readonly WriteError[]): Document {
  if (errors.length === 0) return fields;
  const writeErrors = errors.map(({ index, error }) => ({
    index,
    code: error.code,
    ...error.extra,
    errmsg: error.message,
  }));
  return { ...fields, writeErrors };
}

/** Runs the statements of a batch one after the other; an ordered batch ends at its first error. */
async function runBatch(
  context: CommandContext,
  batch: readonly Buffer[],
  run: (statement: Document, index: number) => Promise<void>,
): Promise<WriteError[]> {
  const errors: WriteError[] = [];
  for (const [index, raw] of batch.entries()) {
    try {
      await run(decodeTyped(raw), index);
    } catch (error) {
      if (!(error instanceof MongoError)) throw error;
      // A malformed statement fails the whole command, as it does on MongoDB.
      if (error.code === 40414 || error.code === 40415 || error.code === 50) throw error;
      errors.push({ index, error });
      if (context.options.ordered !== false) break;
    }
  }
  return errors;
}

export const insert: Command = {
  fields: { ...WRITE_FIELDS, insert: 'any!', documents: 'array!' },
  rawFields: ['documents'],
  async run(context) {
    const { engine, options } = context;
    const namespace = namespaceOf(context, 'insert');
    const documents = statements(context, 'documents');
    const errors: WriteError[] = [];
    const ordered = options.ordered !== false;
    let n = 0;
    for (let at = 0; at < documents.length && (errors.length === 0 || !ordered); at += INSERTS_PER_TRANSACTION) {
      await engine.store.write((transaction) => {
        const collection = engine.catalog.ensure(transaction, namespace);
        for (const [i, raw] of documents.slice(at, at + INSERTS_PER_TRANSACTION).entries()) {
          try {
            const stored = withIdFirst(raw);
            const document = decode(stored);
            assertId(document._id);
            collection.insert(transaction, stored, document);
            n++;
          } catch (error) {
            if (!(error instanceof MongoError)) throw error;
            errors.push({ index: at + i, error });
            if (ordered) return;
          }
        }
      });
    }
    return writeReply({ n }, errors);
  },
};

const UPDATE_STATEMENT = {
  q: 'object!',
  u: 'update!',
  c: 'object',
  multi: 'bool',
  upsert: 'bool',
  arrayFilters: 'array',
  collation: 'object',
  hint: 'hint',
  sort: 'object',
} as const;

export const update: Command = {
  fields: { ...WRITE_FIELDS, update: 'any!', updates: 'array!' },
  rawFields: ['updates'],
  async run(context) {
    const namespace = namespaceOf(context, 'update');
    const upserted: Document[] = [];
    let n = 0;
    let nModified = 0;
    const errors = await runBatch(context, statements(context, 'updates'), async (raw, index) => {
      const statement = checkStatement('update.updates', UPDATE_STATEMENT, raw);
      const result = await runUpdate(context, namespace, statement);
      n += result.matched + (result.upsertedId === undefined ? 0 : 1);
      nModified += result.modified;
      if (result.upsertedId !== undefined) upserted.push({ index, _id: result.upsertedId });
    });
    return writeReply({ n, nModified, ...(upserted.length > 0 ? { upserted } : {}) }, errors);
  },
};

async function runUpdate(
  context: CommandContext,
  namespace: string,
  statement: Document,
): Promise<{ matched: number; modified: number; upsertedId?: unknown }> {
  if (statement.sort !== undefined) throw notSupported("update option 'sort'");
  const parsed = parseUpdate(statement.u, statement.arrayFilters as Document[] | undefined);
  if (statement.multi === true && parsed.kind === 'replacement') {
    throw new MongoError(9, 'multi update is not supported for replacement-style update');
  }
  const request = {
    update: parsed,
    upsert: statement.upsert === true,
    query: statementQuery(context, statement),
  };
  if (statement.multi === true) return updateMany(context.engine, namespace, request, context.pacer);
  const { before, after, upsertedId } = await updateOne(context.engine, namespace, request, context.pacer);
  return { matched: before ? 1 : 0, modified: before && after !== before.raw ? 1 : 0, upsertedId };
}

function statementQuery(context: CommandContext, statement: Document): Parameters<typeof changeOne>[2] {
  const variables = { ...documentOption(context.options, 'let'), ...documentOption(statement, 'c') };
  return {
    filter: documentOption(statement, 'q'),
    sort: [],
    skip: 0,
    limit: 0,
    hint: hintOption(statement.hint),
    variables: promote(variables) as Document,
  };
}

const DELETE_STATEMENT = { q: 'object!', limit: 'number!', collation: 'object', hint: 'hint' } as const;

export const remove: Command = {
  fields: { ...WRITE_FIELDS, delete: 'any!', deletes: 'array!' },
  rawFields: ['deletes'],
  async run(context) {
    const { engine, pacer } = context;
    const namespace = namespaceOf(context, 'delete');
    let n = 0;
    const errors = await runBatch(context, statements(context, 'deletes'), async (raw) => {
      const statement = checkStatement('delete.deletes', DELETE_STATEMENT, raw);
      const { limit } = statement;
      if (limit !== 0 && limit !== 1) {
        throw new MongoError(9, `The limit field in delete objects must be 0 or 1. Got ${String(limit)}`);
      }
      const query = statementQuery(context, statement);
      if (limit === 0) {
        await changeMany(engine, namespace, query, pacer, (transaction, collection, match) => {
          collection.remove(transaction, match);
          n++;
        });
        return;
      }
      const { before } = await changeOne(engine, namespace, query, pacer, (transaction, collection, match) => {
        if (!collection || !match) return {};
        collection.remove(transaction, match);
        return { before: match };
      });
      if (before) n++;
    });
    return writeReply({ n }, errors);
  },
};
