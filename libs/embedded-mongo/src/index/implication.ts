import { compareValues, sameBracket } from '../bson/compare';
import { type Document, isDocument } from '../bson/types';
import { isOperatorDocument } from '../query/condition';
import { compileFilter } from '../query/matcher';
import { isNull, type Predicate, predicatesOf } from './predicates';

/**
 * Whether every document that matches the predicates also matches `filter`: only then is a partial index complete for
 * the query. Sound rather than complete: when in doubt the answer is no and the index is not used.
 */
export function implies(predicates: readonly Predicate[], filter: Document): boolean {
  return Object.entries(filter).every(([name, condition]) => {
    if (name === '$and') return (condition as Document[]).every((branch) => implies(predicates, branch));
    if (name === '$or') return (condition as Document[]).some((branch) => implies(predicates, branch));
    if (name.startsWith('$')) return false;
    return demands(condition).every((demand) =>
      predicates.some((given) => given.path === name && meets(given, name, demand)),
    );
  });
}

/** A condition as separate single-operator conditions. */
function demands(condition: unknown): Document[] {
  if (!isOperatorDocument(condition)) return [{ $eq: condition }];
  return Object.entries(condition).map(([operator, operand]) => ({ [operator]: operand }));
}

function meets(given: Predicate, path: string, demand: Document): boolean {
  const [operator] = Object.keys(demand);
  if (given.points) {
    // Each value asked for must itself satisfy the demand; null also matches missing fields, so it only meets null.
    if (operator === '$exists') return given.points.every((value) => !isNull(value));
    const test = compileFilter({ value: demand });
    return given.points.every((value) => (!isNull(value) || operator === '$eq') && test({ value }, { element: -1 }));
  }
  if (operator === '$exists') return given.exists === true || given.lower !== undefined || given.upper !== undefined;
  const [bound] = predicatesOf({ [path]: demand });
  if (!bound || bound.points || !isDocument(demand)) return false;
  return withinLower(given, bound) && withinUpper(given, bound);
}

function withinLower(given: Predicate, bound: Predicate): boolean {
  if (!bound.lower) return true;
  if (!given.lower || !sameBracket(given.lower.value, bound.lower.value)) return false;
  const order = compareValues(given.lower.value, bound.lower.value);
  return order > 0 || (order === 0 && (bound.lower.inclusive || !given.lower.inclusive));
}

function withinUpper(given: Predicate, bound: Predicate): boolean {
  if (!bound.upper) return true;
  if (!given.upper || !sameBracket(given.upper.value, bound.upper.value)) return false;
  const order = compareValues(given.upper.value, bound.upper.value);
  return order < 0 || (order === 0 && (bound.upper.inclusive || !given.upper.inclusive));
}
