import { Bracket, bracketOf, type Document, isDocument } from '../bson/types';
import { isNaNValue } from '../bson/compare';
import { isOperatorDocument } from '../query/condition';
import { isRegex } from '../query/regex';

/** What a filter demands of one path, as far as an index can serve it. Everything else is left to the filter itself. */
export interface Predicate {
  path: string;
  /** Values to equal: one for `$eq`, several for `$in`. */
  points?: readonly unknown[];
  /** A range within one bracket; `lower` or `upper` may be open. */
  lower?: { value: unknown; inclusive: boolean };
  upper?: { value: unknown; inclusive: boolean };
  /** The path must exist (but nothing is said about its value). */
  exists?: boolean;
  /** Both ends hold for one and the same array element, so they may be intersected on a multikey index too. */
  sameElement?: boolean;
}

/** The predicates that must all hold; `$or` is not among them (see `orBranches`). */
export function predicatesOf(filter: Document): Predicate[] {
  const predicates: Predicate[] = [];
  for (const [name, condition] of Object.entries(filter)) {
    if (name === '$and' && Array.isArray(condition)) {
      for (const branch of condition) if (isDocument(branch)) predicates.push(...predicatesOf(branch));
    } else if (!name.startsWith('$')) {
      predicates.push(...fieldPredicates(name, condition));
    }
  }
  return predicates;
}

/** The branches of the filter's first `$or`, each of which an index must serve for the whole to be served. */
export function orBranches(filter: Document): Document[] | undefined {
  const { $or: branches } = filter;
  return Array.isArray(branches) ? (branches as Document[]) : undefined;
}

function fieldPredicates(path: string, condition: unknown, sameElement = false): Predicate[] {
  if (!isOperatorDocument(condition)) return isPoint(condition) ? [{ path, points: [condition] }] : [];
  const predicates: Predicate[] = [];
  const range: Predicate = { path, sameElement };
  for (const [operator, operand] of Object.entries(condition)) {
    switch (operator) {
      case '$eq':
        if (isPoint(operand)) predicates.push({ path, points: [operand] });
        break;
      case '$in':
        if (Array.isArray(operand) && operand.every(isPoint)) predicates.push({ path, points: operand });
        break;
      case '$gt':
      case '$gte':
        if (isBound(operand)) range.lower = { value: operand, inclusive: operator === '$gte' };
        break;
      case '$lt':
      case '$lte':
        if (isBound(operand)) range.upper = { value: operand, inclusive: operator === '$lte' };
        break;
      case '$exists':
        if (operand === true) predicates.push({ path, exists: true });
        break;
      case '$elemMatch':
        if (isDocument(operand)) predicates.push(...elementPredicates(path, operand));
        break;
    }
  }
  if (range.lower || range.upper) {
    const brackets = [range.lower, range.upper].map((bound) => bound && bracketOf(bound.value));
    // Ends of two brackets can only hold for two elements of an array; one of them is enough to look for.
    if (range.lower && range.upper && brackets[0] !== brackets[1]) delete range.upper;
    predicates.push(range);
  }
  return predicates;
}

function elementPredicates(path: string, operand: Document): Predicate[] {
  if (isOperatorDocument(operand)) {
    const [first] = Object.keys(operand);
    return first === '$and' || first === '$or' || first === '$nor' ? [] : fieldPredicates(path, operand, true);
  }
  // Predicates of several fields of one element: null is left out, for a scalar element has no such field at all.
  return predicatesOf(operand)
    .map((predicate) => ({ ...predicate, path: `${path}.${predicate.path}` }))
    .filter((predicate) => !predicate.points?.some(isNull));
}

export const isNull = (value: unknown): boolean => value === null || value === undefined;

/** Arrays equal as a whole or by an element, and patterns match many values: neither is one point of an index. */
function isPoint(value: unknown): boolean {
  return !Array.isArray(value) && !isRegex(value);
}

const BOUND_BRACKETS: ReadonlySet<Bracket> = new Set([
  Bracket.number,
  Bracket.string,
  Bracket.binary,
  Bracket.objectId,
  Bracket.boolean,
  Bracket.date,
  Bracket.timestamp,
]);

function isBound(value: unknown): boolean {
  return BOUND_BRACKETS.has(bracketOf(value)) && !isNaNValue(value);
}
