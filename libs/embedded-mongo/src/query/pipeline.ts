import { Aggregator } from 'mingo/aggregator';
import { Context } from 'mingo/core';
import { type Document, isDocument, isNumeric, toNumber } from '../bson/types';
import { MongoError, notSupported } from '../errors';
import { compileFilter } from './matcher';
import {
  contextOf,
  expressionNames,
  mingoContext,
  mingoOptions,
  pipelineNames,
  promote,
  translated,
} from './expressions';
import { allDocuments, type CollectionResolver, lookup } from './lookup';
import { overrides } from './overrides';
import { parseSort } from './sort';

/** Stages whose output for a document depends on nothing but that document (and other collections). */
const STREAMING = new Set([
  '$match',
  '$project',
  '$addFields',
  '$set',
  '$unset',
  '$unwind',
  '$replaceRoot',
  '$replaceWith',
  '$redact',
  '$lookup',
]);

export const isStreaming = (pipeline: readonly Document[]): boolean =>
  pipeline.every((stage) => STREAMING.has(Object.keys(stage)[0] ?? ''));

/** Checks a pipeline and answers a function that runs it over documents with plain numbers. */
export function compilePipeline(
  pipeline: readonly unknown[],
  variables: Document,
  resolveCollection: CollectionResolver,
): (input: Document[]) => Document[] {
  validatePipeline(pipeline);
  const context = Context.from(
    contextOf({ pipeline: { $lookup: lookup(resolveCollection) } }),
    overrides,
    mingoContext,
  );
  const options = {
    ...mingoOptions(variables, context),
    collectionResolver: (name: string) => allDocuments(resolveCollection(name)),
  };
  const aggregator = new Aggregator(promote(pipeline) as Document[], options);
  return (input) => translated(() => aggregator.run(input));
}

const REFUSED = new Set([
  '$out',
  '$merge',
  '$collStats',
  '$indexStats',
  '$currentOp',
  '$listSessions',
  '$geoNear',
  '$search',
  '$planCacheStats',
]);

function validatePipeline(pipeline: readonly unknown[]): void {
  for (const stage of pipeline) {
    const names = isDocument(stage) ? Object.keys(stage) : [];
    const [name] = names;
    if (!isDocument(stage) || names.length !== 1 || name === undefined) {
      throw new MongoError(40323, 'A pipeline stage specification object must contain exactly one field.');
    }
    validateStage(name, stage[name]);
  }
}

function validateStage(name: string, operand: unknown): void {
  if (REFUSED.has(name)) throw notSupported(`the ${name} stage`);
  if (name === '$changeStream')
    throw new MongoError(40573, 'The $changeStream stage is only supported on replica sets');
  if (!pipelineNames.has(name)) throw new MongoError(40324, `Unrecognized pipeline stage name: '${name}'`);
  switch (name) {
    case '$match':
      if (!isDocument(operand)) throw new MongoError(15959, 'the match filter must be an expression in an object');
      compileFilter(operand, anyVariables);
      return;
    case '$sort':
      if (!isDocument(operand)) throw new MongoError(15973, 'the $sort key specification must be an object');
      if (parseSort(operand).length === 0) throw new MongoError(15976, '$sort stage must have at least one sort key');
      return;
    case '$limit':
      if (!isNumeric(operand) || toNumber(operand) < 0)
        throw new MongoError(
          5107201,
          `invalid argument to $limit stage: Expected a non-negative number in: $limit: ${String(operand)}`,
        );
      if (toNumber(operand) === 0) throw new MongoError(15958, 'the limit must be positive');
      return;
    case '$skip':
      if (!isNumeric(operand) || toNumber(operand) < 0)
        throw new MongoError(
          5107200,
          `invalid argument to $skip stage: Expected a non-negative number in: $skip: ${String(operand)}`,
        );
      return;
    case '$group':
      return validateGroup(operand);
    case '$count':
      if (typeof operand !== 'string' || operand === '')
        throw new MongoError(40156, 'the count field must be a non-empty string');
      return;
    case '$unwind':
      return validateUnwind(operand);
    case '$lookup':
      return validateLookup(operand);
    case '$facet':
      if (!isDocument(operand)) throw new MongoError(40169, 'the $facet specification must be a non-empty object');
      for (const branch of Object.values(operand)) validatePipeline(Array.isArray(branch) ? branch : []);
      return;
    case '$unionWith':
      if (isDocument(operand) && Array.isArray(operand.pipeline)) validatePipeline(operand.pipeline);
      return;
    case '$project':
      if (!isDocument(operand) || Object.keys(operand).length === 0) {
        throw new MongoError(
          51272,
          'Invalid $project :: caused by :: projection specification must have at least one field',
        );
      }
      return validateExpressions(operand);
    default:
      validateExpressions(operand);
  }
}

const anyVariables: Document = {};

function validateGroup(operand: unknown): void {
  if (!isDocument(operand)) throw new MongoError(15947, "a group's fields must be specified in an object");
  if (!('_id' in operand)) throw new MongoError(15955, 'a group specification must include an _id');
  for (const [field, accumulator] of Object.entries(operand)) {
    if (field === '_id') continue;
    if (field.includes('.')) throw new MongoError(40235, `The field name '${field}' cannot contain '.'`);
    const [name] = isDocument(accumulator) ? Object.keys(accumulator) : [];
    if (name === undefined) throw new MongoError(40234, `The field '${field}' must be an accumulator object`);
    if (!expressionNames.has(name)) throw new MongoError(15952, `unknown group operator '${name}'`);
  }
  validateExpressions(operand);
}

function validateUnwind(operand: unknown): void {
  const path = isDocument(operand) ? operand.path : operand;
  if (typeof path !== 'string')
    throw new MongoError(28812, 'expected either a string or an object as specification for $unwind stage');
  if (!path.startsWith('$'))
    throw new MongoError(28818, `path option to $unwind stage should be prefixed with a '$': ${path}`);
}

function validateLookup(operand: unknown): void {
  if (!isDocument(operand)) throw new MongoError(9, 'the $lookup specification must be an Object');
  if (typeof operand.from !== 'string') throw new MongoError(9, "$lookup must specify a 'from' field of type string");
  if (typeof operand.as !== 'string') throw new MongoError(9, "must specify 'as' field for a $lookup");
  if (Array.isArray(operand.pipeline)) validatePipeline(operand.pipeline);
  else if (typeof operand.localField !== 'string' || typeof operand.foreignField !== 'string') {
    throw new MongoError(9, "$lookup requires both or neither of 'localField' and 'foreignField' to be specified");
  }
}

/** Finds operators mingo does not have before any document is read, as MongoDB does while it parses. */
function validateExpressions(expression: unknown): void {
  if (Array.isArray(expression)) return expression.forEach(validateExpressions);
  if (!isDocument(expression)) return;
  for (const [name, operand] of Object.entries(expression)) {
    if (name === '$literal') continue;
    if (name.startsWith('$') && !expressionNames.has(name))
      throw new MongoError(168, `Unrecognized expression '${name}'`);
    validateExpressions(operand);
  }
}
