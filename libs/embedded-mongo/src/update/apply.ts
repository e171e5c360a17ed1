import { Aggregator } from 'mingo/aggregator';
import { ObjectId } from 'bson';
import { equalValues } from '../bson/compare';
import { describe } from '../bson/describe';
import { type Document, isDocument, typeAlias } from '../bson/types';
import { badValue, MongoError } from '../errors';
import { type MatchState } from '../query/condition';
import { define, mingoOptions, promote, restoreTypes, translated } from '../query/expressions';
import { type Test } from '../query/matcher';
import { fieldOf, isArrayIndex } from '../query/path';
import { filterIdentifier, type Modification, parsePath, type Update } from './parse';
import { assertId, computeValue, KEEP, REMOVE, type Target } from './values';

/** MongoDB pads an array with at most this many nulls to reach a position. */
const MAX_PADDING = 1_500_000;

/** The document after the update. Takes and answers typed documents; the input may be changed in place. */
export function applyUpdate(update: Update, document: Document, state: MatchState, variables: Document = {}): Document {
  const id = document._id;
  const result = transformed(update, document, state, variables, false);
  if (Object.hasOwn(result, '_id') && !equalValues(result._id, id)) {
    const message =
      update.kind === 'modifications'
        ? "Performing an update on the path '_id' would modify the immutable field '_id'"
        : `After applying the update, the (immutable) field '_id' was found to have been altered to _id: ${describe(result._id)}`;
    throw new MongoError(66, message);
  }
  if (!Object.hasOwn(result, '_id') && update.kind === 'modifications') {
    throw new MongoError(66, "Performing an update on the path '_id' would modify the immutable field '_id'");
  }
  return withId(result, id);
}

/** The document an upsert inserts: the filter's equalities, then the update, then an `_id` if there is none. */
export function upsertDocument(update: Update, filter: Document, variables: Document = {}): Document {
  const base: Document = {};
  const equalities = new Map<string, unknown>();
  collectEqualities(filter, equalities);
  if (update.kind === 'replacement') {
    if (equalities.has('_id')) base._id = equalities.get('_id');
  } else {
    for (const [path, value] of equalities) setPlain(base, parsePath(path), value);
  }
  const given = base._id;
  const result = transformed(update, base, { element: -1 }, variables, true);
  if (given !== undefined && Object.hasOwn(result, '_id') && !equalValues(result._id, given)) {
    throw new MongoError(66, "Performing an update on the path '_id' would modify the immutable field '_id'");
  }
  const id = Object.hasOwn(result, '_id') ? result._id : (given ?? new ObjectId());
  assertId(id);
  return withId(result, id);
}

function transformed(
  update: Update,
  document: Document,
  state: MatchState,
  variables: Document,
  inserting: boolean,
): Document {
  switch (update.kind) {
    case 'replacement':
      return { ...update.document };
    case 'pipeline':
      return runPipeline(update.stages, document, variables);
    case 'modifications':
      for (const modification of update.modifications) {
        if (modification.operator === '$setOnInsert' && !inserting) continue;
        modify(document, modification, state, update.filters);
      }
      return document;
  }
}

function withId(document: Document, id: unknown): Document {
  const { _id: _, ...rest } = document;
  return { _id: id, ...rest };
}

function runPipeline(stages: readonly Document[], document: Document, variables: Document): Document {
  const pipeline = promote(stages) as Document[];
  const results = translated(() => new Aggregator(pipeline, mingoOptions(variables)).run([promote(document)]));
  const result = results[0];
  if (!isDocument(result)) throw new MongoError(40228, "'replacement document' must evaluate to an object");
  return restoreTypes(result, document) as Document;
}

/** `{a: 1}`, `{a: {$eq: 1}}`, `{$and: […]}`, `$all` and `$in` of one: what a match would say about a field for certain. */
function collectEqualities(filter: Document, found: Map<string, unknown>): void {
  for (const [name, condition] of Object.entries(filter)) {
    if (name === '$and' || (name === '$or' && Array.isArray(condition) && condition.length === 1)) {
      for (const branch of condition as Document[]) collectEqualities(branch, found);
    } else if (!name.startsWith('$')) {
      const value = equality(condition);
      if (value === undefined) continue;
      if (found.has(name))
        throw new MongoError(54, `cannot infer query fields to set, path '${name}' is matched twice`);
      found.set(name, value);
    }
  }
}

function equality(condition: unknown): unknown {
  if (!isDocument(condition)) return typeAlias(condition) === 'regex' ? undefined : condition;
  const [operator] = Object.keys(condition);
  if (operator === undefined || !operator.startsWith('$')) return condition;
  if ('$eq' in condition) return condition.$eq;
  const single = condition.$all ?? condition.$in;
  if (!Array.isArray(single) || single.length !== 1) return undefined;
  return isDocument(single[0]) && '$elemMatch' in single[0] ? undefined : single[0];
}

function setPlain(target: Document, parts: readonly string[], value: unknown): void {
  let at = target;
  for (const part of parts.slice(0, -1)) {
    if (!isDocument(fieldOf(at, part))) define(at, part, {});
    at = at[part] as Document;
  }
  define(at, parts.at(-1) as string, value);
}

function modify(
  document: Document,
  { operator, path, parts, operand }: Modification,
  state: MatchState,
  filters: ReadonlyMap<string, Test>,
): void {
  const resolved = parts.map((part) => (part === '$' ? positionOf(state) : part));
  if (operator === '$rename') return rename(document, resolved, operand, path);
  const target: Target = { path, field: parts.at(-1) as string, id: document._id };
  walk(document, resolved, 0, { operator, operand, target, filters });
}

function positionOf(state: MatchState): string {
  if (state.element < 0) {
    throw badValue('The positional operator did not find the match needed from the query.');
  }
  return String(state.element);
}

interface Step {
  operator: string;
  operand: unknown;
  target: Target;
  filters: ReadonlyMap<string, Test>;
}

const CREATES = new Set([
  '$set',
  '$setOnInsert',
  '$inc',
  '$mul',
  '$min',
  '$max',
  '$currentDate',
  '$push',
  '$addToSet',
  '$bit',
]);

function walk(container: Document | unknown[], parts: readonly string[], at: number, step: Step): void {
  const part = parts[at] as string;
  const identifier = filterIdentifier(part);
  if (identifier !== undefined) {
    if (!Array.isArray(container)) {
      throw badValue(`Cannot apply array updates to non-array element ${parts[at - 1]}: ${describe(container)}`);
    }
    const filter = identifier === '' ? undefined : step.filters.get(identifier);
    container.forEach((element, i) => {
      if (!filter || filter({ [identifier]: element }, { element: -1 })) descend(container, String(i), parts, at, step);
    });
    return;
  }
  descend(container, part, parts, at, step);
}

function descend(
  container: Document | unknown[],
  name: string,
  parts: readonly string[],
  at: number,
  step: Step,
): void {
  const isArray = Array.isArray(container);
  if (isArray && !isArrayIndex(name)) {
    if (!CREATES.has(step.operator)) return;
    throw new MongoError(28, `Cannot create field '${name}' in element {${parts[at - 1]}: ${describe(container)}}`);
  }
  const current = isArray ? container[Number(name)] : fieldOf(container, name);
  if (at === parts.length - 1)
    return assign(container, name, computeValue(step.operator, current, step.operand, step.target));
  if (isDocument(current) || Array.isArray(current)) return walk(current, parts, at + 1, step);
  const next = parts[at + 1] as string;
  if (current === undefined) {
    if (!CREATES.has(step.operator)) return;
    if (filterIdentifier(next) !== undefined) {
      throw badValue(
        `The path '${parts.slice(0, at + 1).join('.')}' must exist in the document in order to apply array updates.`,
      );
    }
    const created: Document = {};
    walk(created, parts, at + 1, step);
    if (Object.keys(created).length > 0) assign(container, name, created);
    return;
  }
  if (!CREATES.has(step.operator)) return;
  throw new MongoError(28, `Cannot create field '${next}' in element {${name}: ${describe(current)}}`);
}

function assign(container: Document | unknown[], name: string, value: unknown): void {
  if (value === KEEP) return;
  if (!Array.isArray(container)) {
    if (value === REMOVE) delete container[name];
    else define(container, name, value);
    return;
  }
  const position = Number(name);
  if (value === REMOVE) {
    // Taking an element away would move the others, so MongoDB leaves a null.
    if (position < container.length) container[position] = null;
    return;
  }
  if (position > container.length + MAX_PADDING) throw badValue(`can't backfill more than ${MAX_PADDING} elements`);
  while (container.length < position) container.push(null);
  container[position] = value;
}

function rename(document: Document, from: readonly string[], operand: unknown, path: string): void {
  if (typeof operand !== 'string')
    throw badValue(`The 'to' field for $rename must be a string: ${path}: ${describe(operand)}`);
  const to = parsePath(operand);
  for (const parts of [from, to]) {
    if (parts.some((part) => part === '$' || filterIdentifier(part) !== undefined)) {
      throw badValue(`The source and destination fields for $rename may not be dynamic: ${parts.join('.')}`);
    }
  }
  const parent = parentOf(document, from);
  const name = from.at(-1) as string;
  if (!parent || !Object.hasOwn(parent, name)) return;
  const value = parent[name];
  delete parent[name];
  walk(document, to, 0, {
    operator: '$set',
    operand: value,
    target: { path: operand, field: to.at(-1) as string, id: document._id },
    filters: new Map(),
  });
}

function parentOf(document: Document, parts: readonly string[]): Document | undefined {
  let at: unknown = document;
  for (const part of parts.slice(0, -1)) {
    if (Array.isArray(at)) throw badValue(`The source field cannot be an array element, '${parts.join('.')}'`);
    at = isDocument(at) ? fieldOf(at, part) : undefined;
  }
  return isDocument(at) ? at : undefined;
}
