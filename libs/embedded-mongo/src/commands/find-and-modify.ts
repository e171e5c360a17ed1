import { decodeTyped } from '../bson/raw';
import { type Document } from '../bson/types';
import { failedToParse } from '../errors';
import { type MatchState } from '../query/condition';
import { compileProjection } from '../query/projection';
import { parseUpdate } from '../update/parse';
import { type Change, changeOne, updateOne } from '../update/write';
import { type Command, type CommandContext, documentOption, namespaceOf } from './command';
import { querySpec } from './documents';

/** Changes or removes one document and answers it as it was, or as it is with `new`. */
export const findAndModify: Command = {
  fields: {
    findAndModify: 'any',
    findandmodify: 'any',
    query: 'object',
    sort: 'object',
    remove: 'bool',
    update: 'update',
    new: 'bool',
    fields: 'object',
    upsert: 'bool',
    arrayFilters: 'array',
    bypassDocumentValidation: 'bool',
    collation: 'object',
    hint: 'hint',
    let: 'object',
    maxTimeMS: 'number',
  },
  async run(context) {
    const { options } = context;
    const namespace = namespaceOf(context, options.findAndModify === undefined ? 'findandmodify' : 'findAndModify');
    assertForm(options);
    const project = compileProjection(documentOption(options, 'fields'));
    const shown = (raw: Buffer, state: MatchState): Document => {
      const document = decodeTyped(raw);
      return project ? project(document, state) : document;
    };
    const change = await run(context, namespace);
    const { before, after, upsertedId } = change;
    if (options.remove === true) {
      return { lastErrorObject: { n: before ? 1 : 0 }, value: before ? shown(before.raw, before.state) : null };
    }
    const lastErrorObject: Document = { n: after ? 1 : 0, updatedExisting: before !== undefined };
    if (upsertedId !== undefined) lastErrorObject.upserted = upsertedId;
    const value = options.new === true ? after : before?.raw;
    return { lastErrorObject, value: value ? shown(value, before?.state ?? { element: -1 }) : null };
  },
};

function assertForm(options: Document): void {
  const { remove, update, upsert } = options;
  if (remove === true && update !== undefined) throw failedToParse('Cannot specify both an update and remove=true');
  if (remove === true && upsert === true) throw failedToParse('Cannot specify both upsert=true and remove=true');
  if (remove === true && options.new === true) {
    throw failedToParse("Cannot specify both new=true and remove=true; 'remove' always returns the deleted document");
  }
  if (remove !== true && update === undefined) throw failedToParse('Either an update or remove=true must be specified');
}

function run(context: CommandContext, namespace: string): Promise<Change> {
  const { engine, options, pacer } = context;
  const query = querySpec(options, documentOption(options, 'query'));
  if (options.remove !== true) {
    const update = parseUpdate(options.update, options.arrayFilters as Document[] | undefined);
    return updateOne(engine, namespace, { query, update, upsert: options.upsert === true }, pacer);
  }
  return changeOne(engine, namespace, query, pacer, (transaction, collection, match) => {
    if (!collection || !match) return {};
    collection.remove(transaction, match);
    return { before: match };
  });
}
