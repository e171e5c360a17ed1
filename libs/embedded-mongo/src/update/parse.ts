import { type Document, isDocument } from '../bson/types';
import { describe } from '../bson/describe';
import { type Test, compileFilter } from '../query/matcher';
import { badValue, failedToParse, MongoError, notSupported } from '../errors';
import { typeAlias } from '../bson/types';

/** One operator on one path: `{$inc: {'a.b': 1}}`. */
export interface Modification {
  operator: string;
  path: string;
  parts: readonly string[];
  operand: unknown;
}

export type Update =
  | { kind: 'replacement'; document: Document }
  | { kind: 'modifications'; modifications: readonly Modification[]; filters: ReadonlyMap<string, Test> }
  | { kind: 'pipeline'; stages: readonly Document[] };

const OPERATORS = new Set([
  '$set',
  '$setOnInsert',
  '$unset',
  '$inc',
  '$mul',
  '$min',
  '$max',
  '$rename',
  '$currentDate',
  '$push',
  '$addToSet',
  '$pop',
  '$pull',
  '$pullAll',
  '$bit',
]);
const PIPELINE_STAGES = new Set(['$set', '$addFields', '$unset', '$project', '$replaceRoot', '$replaceWith']);

/** Checks an update as MongoDB does before it looks at any document. */
export function parseUpdate(update: unknown, arrayFilters: readonly Document[] = []): Update {
  if (Array.isArray(update)) return parsePipeline(update, arrayFilters);
  if (!isDocument(update)) throw failedToParse('Update argument must be either an object or an array');
  const [first] = Object.keys(update);
  if (first === undefined || !first.startsWith('$')) return parseReplacement(update, arrayFilters);
  const modifications = Object.entries(update).flatMap(([operator, fields]) => parseOperator(operator, fields));
  assertNoConflicts(modifications);
  const filters = parseArrayFilters(arrayFilters, modifications);
  modifications.sort((a, b) => comparePaths(a.parts, b.parts));
  return { kind: 'modifications', modifications, filters };
}

function parsePipeline(stages: readonly unknown[], arrayFilters: readonly Document[]): Update {
  if (arrayFilters.length > 0) throw failedToParse('arrayFilters may not be specified for pipeline-syle updates');
  for (const stage of stages) {
    const [name] = isDocument(stage) ? Object.keys(stage) : [];
    if (name === undefined)
      throw new MongoError(40323, 'A pipeline stage specification object must contain exactly one field.');
    if (!PIPELINE_STAGES.has(name)) throw new MongoError(72, `${name} is not allowed to be used within an update`);
  }
  return { kind: 'pipeline', stages: stages as Document[] };
}

function parseReplacement(document: Document, arrayFilters: readonly Document[]): Update {
  if (arrayFilters.length > 0) throw failedToParse('arrayFilters may not be specified for replacement-style updates');
  const dollar = Object.keys(document).find((name) => name.startsWith('$'));
  if (dollar)
    throw new MongoError(
      52,
      `The dollar ($) prefixed field '${dollar}' in '${dollar}' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.`,
    );
  return { kind: 'replacement', document };
}

function parseOperator(operator: string, fields: unknown): Modification[] {
  if (!OPERATORS.has(operator)) {
    if (operator === '$isolated' || operator === '$v') throw notSupported(operator);
    throw failedToParse(
      `Unknown modifier: ${operator}. Expected a valid update modifier or pipeline-style update specified as an array`,
    );
  }
  if (!isDocument(fields)) {
    throw failedToParse(
      `Modifiers operate on fields but we found type ${typeAlias(fields)} instead. For example: {$mod: {<field>: ...}} not {${operator}: ${describe(fields)}}`,
    );
  }
  return Object.entries(fields).map(([path, operand]) => ({ operator, path, parts: parsePath(path), operand }));
}

export function parsePath(path: string): string[] {
  if (path === '') throw new MongoError(56, 'An empty update path is not valid.');
  const parts = path.split('.');
  if (parts.includes('')) {
    throw new MongoError(56, `The update path '${path}' contains an empty field name, which is not allowed.`);
  }
  if (isPositional(parts[0] as string)) {
    throw badValue(`Cannot have positional (i.e. '$') element in the first position in path '${path}'`);
  }
  if (parts.filter((part) => part === '$').length > 1) {
    throw badValue(`Too many positional (i.e. '$') elements found in path '${path}'`);
  }
  return parts;
}

const isPositional = (part: string): boolean => part === '$' || /^\$\[.*\]$/.test(part);

/** The identifier of `$[name]`; empty for `$[]`, undefined for any other part. */
export function filterIdentifier(part: string): string | undefined {
  return /^\$\[(.*)\]$/.exec(part)?.[1];
}

function assertNoConflicts(modifications: readonly Modification[]): void {
  const paths = modifications.flatMap(({ operator, path, operand }) =>
    operator === '$rename' && typeof operand === 'string' ? [path, operand] : [path],
  );
  const taken = new Set<string>();
  for (const path of paths) {
    const clash = [...taken].find(
      (other) => other === path || other.startsWith(`${path}.`) || path.startsWith(`${other}.`),
    );
    if (clash !== undefined) {
      const shorter = clash.length < path.length ? clash : path;
      throw new MongoError(40, `Updating the path '${path}' would create a conflict at '${shorter}'`);
    }
    taken.add(path);
  }
}

function parseArrayFilters(
  arrayFilters: readonly Document[],
  modifications: readonly Modification[],
): Map<string, Test> {
  const used = new Set<string>();
  for (const { parts } of modifications) for (const part of parts) used.add(filterIdentifier(part) ?? '');
  const filters = new Map<string, Test>();
  for (const filter of arrayFilters) {
    const identifier = identifierOf(filter);
    if (filters.has(identifier)) {
      throw failedToParse(`Found multiple array filters with the same top-level field name ${identifier}`);
    }
    if (!used.has(identifier)) {
      throw failedToParse(`The array filter for identifier '${identifier}' was not used in the update`);
    }
    filters.set(identifier, compileFilter(filter));
  }
  for (const identifier of used) {
    if (identifier !== '' && !filters.has(identifier)) {
      throw badValue(
        `No array filter found for identifier '${identifier}' in path '${pathUsing(identifier, modifications)}'`,
      );
    }
  }
  return filters;
}

const pathUsing = (identifier: string, modifications: readonly Modification[]): string =>
  modifications.find(({ parts }) => parts.includes(`$[${identifier}]`))?.path ?? '';

function identifierOf(filter: Document): string {
  const names = Object.entries(filter).flatMap(([name, value]): string[] => {
    if (!name.startsWith('$')) return [name.split('.')[0] as string];
    return Array.isArray(value) ? value.map((branch) => identifierOf(branch as Document)) : [];
  });
  const [first] = names;
  if (first === undefined)
    throw failedToParse('Cannot use an expression without a top-level field name in arrayFilters');
  if (names.some((name) => name !== first)) {
    throw failedToParse(
      `Error parsing array filter :: caused by :: Expected a single top-level field name, found '${names.join("' and '")}'`,
    );
  }
  if (!/^[a-z][a-zA-Z0-9]*$/.test(first)) {
    throw badValue(
      `The top-level field name must be an alphanumeric string beginning with a lowercase letter, found '${first}'`,
    );
  }
  return first;
}

/** New fields appear in the order of their names, numbers by value, whatever the order in the command. */
function comparePaths(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i] as string, b[i] as string];
    if (x === y) continue;
    if (/^\d+$/.test(x) && /^\d+$/.test(y)) return Number(x) - Number(y);
    return x < y ? -1 : 1;
  }
  return a.length - b.length;
}
