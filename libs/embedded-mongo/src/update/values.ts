import { Binary, Long, Timestamp } from 'bson';
import { compareValues, equalValues } from '../bson/compare';
import { describe } from '../bson/describe';
import { type Document, isDocument, isNumeric, toNumber, typeAlias } from '../bson/types';
import { badValue, failedToParse, MongoError, typeMismatch } from '../errors';
import { isOperatorDocument } from '../query/condition';
import { compileElementTest } from '../query/matcher';
import { isRegex, toRegExp } from '../query/regex';
import { compareDocuments, parseSort } from '../query/sort';
import { combine, integer, toBigInt } from './numbers';

/** Takes a field away: what an operator answers when the field should not exist. */
export const REMOVE = Symbol('remove');
/** Leaves the field as it is, and does not create it. */
export const KEEP = Symbol('keep');

export interface Target {
  path: string;
  field: string;
  id: unknown;
}

/** The new value of one field. `current` is undefined when the field is missing. Works on typed values. */
export function computeValue(operator: string, current: unknown, operand: unknown, target: Target): unknown {
  switch (operator) {
    case '$set':
    case '$setOnInsert':
      return operand;
    case '$unset':
      return REMOVE;
    case '$inc':
    case '$mul':
      return arithmetic(operator, current, operand, target);
    case '$min':
    case '$max': {
      if (current === undefined) return operand;
      const order = compareValues(operand, current);
      return (operator === '$min' ? order < 0 : order > 0) ? operand : KEEP;
    }
    case '$currentDate':
      return currentDate(operand, target);
    case '$push':
      return push(array(current, target), operand, target);
    case '$addToSet':
      return addToSet(array(current, target, '$addToSet'), operand);
    case '$pop':
      return pop(current, operand, target);
    case '$pull':
      return pull(current, operand);
    case '$pullAll':
      return pullAll(current, operand);
    case '$bit':
      return bit(current, operand, target);
    default:
      throw failedToParse(`Unknown modifier: ${operator}`);
  }
}

function arithmetic(operator: '$inc' | '$mul', current: unknown, operand: unknown, target: Target): unknown {
  const verb = operator === '$inc' ? 'increment' : 'multiply';
  if (!isNumeric(operand)) {
    throw typeMismatch(`Cannot ${verb} with non-numeric argument: {${target.path}: ${describe(operand)}}`);
  }
  if (current === undefined)
    return operator === '$inc' ? operand : combine('multiply', operand, integer(0n, operand instanceof Long));
  if (!isNumeric(current)) {
    throw typeMismatch(
      `Cannot apply ${operator} to a value of non-numeric type. {_id: ${describe(target.id)}} has the field '${target.field}' of non-numeric type ${typeAlias(current)}`,
    );
  }
  return combine(operator === '$inc' ? 'add' : 'multiply', current, operand);
}

function currentDate(operand: unknown, target: Target): unknown {
  if (operand === true) return new Date();
  const type = isDocument(operand) ? operand.$type : undefined;
  if (type === 'date') return new Date();
  if (type === 'timestamp') return new Timestamp({ t: Math.floor(Date.now() / 1000), i: 1 });
  throw badValue(
    `${typeAlias(operand)} is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'}). (field ${target.path})`,
  );
}

function array(current: unknown, target: Target, operator = '$push'): unknown[] {
  if (current === undefined) return [];
  if (Array.isArray(current)) return [...(current as unknown[])];
  if (operator === '$addToSet') {
    throw badValue(
      `Cannot apply $addToSet to non-array field. Field named '${target.field}' has non-array type ${typeAlias(current)}`,
    );
  }
  throw badValue(
    `The field '${target.path}' must be an array but is of type ${typeAlias(current)} in document {_id: ${describe(target.id)}}`,
  );
}

const PUSH_CLAUSES = new Set(['$each', '$position', '$slice', '$sort']);

function push(items: unknown[], operand: unknown, target: Target): unknown {
  if (!isDocument(operand) || !('$each' in operand)) return [...items, operand];
  const unknown = Object.keys(operand).find((clause) => !PUSH_CLAUSES.has(clause));
  if (unknown) throw badValue(`Unrecognized clause in $push: ${unknown}`);
  if (!Array.isArray(operand.$each)) {
    throw badValue(`The argument to $each in $push must be an array but it was of type: ${typeAlias(operand.$each)}`);
  }
  const position = optionalInteger(operand, '$position', target);
  const size = optionalInteger(operand, '$slice', target);
  items.splice(position ?? items.length, 0, ...(operand.$each as unknown[]));
  const sorted = operand.$sort === undefined ? items : sortItems(items, operand.$sort);
  if (size === undefined) return sorted;
  return size < 0 ? sorted.slice(size) : sorted.slice(0, size);
}

function optionalInteger(operand: Document, clause: string, target: Target): number | undefined {
  const value = operand[clause];
  if (value === undefined) return undefined;
  if (!isNumeric(value) || !Number.isInteger(toNumber(value))) {
    throw badValue(
      `The value for ${clause} must be an integer value but was given type: ${typeAlias(value)} (field ${target.path})`,
    );
  }
  return toNumber(value);
}

function sortItems(items: unknown[], sort: unknown): unknown[] {
  if (isNumeric(sort)) {
    const direction = toNumber(sort);
    if (direction !== 1 && direction !== -1) throw badValue('The $sort element value must be either 1 or -1');
    return items.sort((a, b) => compareValues(a, b) * direction);
  }
  if (!isDocument(sort) || Object.keys(sort).length === 0) {
    throw badValue('The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields');
  }
  const spec = parseSort(sort);
  return items.sort((a, b) => compareDocuments(a, b, spec));
}

function addToSet(items: unknown[], operand: unknown): unknown {
  const each = isDocument(operand) && Object.keys(operand)[0] === '$each' ? operand.$each : [operand];
  if (!Array.isArray(each)) throw typeMismatch('The argument to $each in $addToSet must be an array');
  const before = items.length;
  for (const item of each) if (!items.some((present) => equalValues(present, item))) items.push(item);
  return items.length === before && before > 0 ? KEEP : items;
}

function pop(current: unknown, operand: unknown, target: Target): unknown {
  const direction = isNumeric(operand) ? toNumber(operand) : NaN;
  if (direction !== 1 && direction !== -1) throw failedToParse(`$pop expects 1 or -1, found: ${describe(operand)}`);
  if (current === undefined) return KEEP;
  if (!Array.isArray(current)) {
    throw typeMismatch(`Path '${target.path}' contains an element of non-array type '${typeAlias(current)}'`);
  }
  return direction === 1 ? current.slice(0, -1) : current.slice(1);
}

function pull(current: unknown, operand: unknown): unknown {
  if (current === undefined) return KEEP;
  if (!Array.isArray(current)) throw badValue('Cannot apply $pull to a non-array value');
  const condition = pullTest(operand);
  const kept = current.filter((item) => !condition(item));
  return kept.length === current.length ? KEEP : kept;
}

/** A document pulls what matches it as a query; operators and patterns test each element; anything else must be equal. */
function pullTest(operand: unknown): (item: unknown) => boolean {
  if (isRegex(operand)) {
    const regex = toRegExp(operand);
    return (item) => typeof item === 'string' && regex.test(item);
  }
  if (isOperatorDocument(operand)) return compileElementTest(operand);
  if (isDocument(operand)) {
    const test = compileElementTest(operand);
    return (item) => isDocument(item) && test(item);
  }
  return (item) => equalValues(item, operand);
}

function pullAll(current: unknown, operand: unknown): unknown {
  if (!Array.isArray(operand))
    throw badValue(`$pullAll requires an array argument but was given a ${typeAlias(operand)}`);
  if (current === undefined) return KEEP;
  if (!Array.isArray(current)) throw badValue('Cannot apply $pull to a non-array value');
  const kept = current.filter((item) => !operand.some((gone) => equalValues(item, gone)));
  return kept.length === current.length ? KEEP : kept;
}

function bit(current: unknown, operand: unknown, target: Target): unknown {
  if (!isDocument(operand) || Object.keys(operand).length === 0) {
    throw badValue(
      `The $bit modifier is not compatible with a ${typeAlias(operand)}. You must pass in an embedded document: {$bit: {field: {and/or/xor: #}}`,
    );
  }
  let value = current;
  for (const [operation, mask] of Object.entries(operand)) {
    if (!isIntegral(mask))
      throw badValue(
        `The $bit modifier field must be an Integer(32/64 bit); a '${typeAlias(mask)}' is not supported here: {${target.path}: ...}`,
      );
    if (value !== undefined && !isIntegral(value)) {
      throw badValue(
        `Cannot apply $bit to a value of non-integral type. {_id: ${describe(target.id)}} has the field ${target.field} of non-integer type ${typeAlias(value)}`,
      );
    }
    const [x, y] = [value === undefined ? 0n : toBigInt(value), toBigInt(mask)];
    const result = operation === 'and' ? x & y : operation === 'or' ? x | y : operation === 'xor' ? x ^ y : undefined;
    if (result === undefined)
      throw badValue(`The $bit modifier only supports 'and', 'or', and 'xor', not '${operation}'`);
    value = integer(result, value instanceof Long || mask instanceof Long);
  }
  return value;
}

function isIntegral(value: unknown): value is Long {
  return isNumeric(value) && ['int', 'long'].includes(typeAlias(value));
}

/** Values an `_id` cannot have. */
export function assertId(id: unknown): void {
  if (Array.isArray(id)) throw new MongoError(53, "The '_id' value cannot be of type array");
  if (isRegex(id)) throw new MongoError(53, "The '_id' value cannot be of type regex");
  if (id === undefined) throw new MongoError(53, "The '_id' value cannot be of type undefined");
  if (isDocument(id) && !(id instanceof Binary)) {
    const dollar = Object.keys(id).find((name) => name.startsWith('$') && !['$ref', '$id', '$db'].includes(name));
    if (dollar)
      throw new MongoError(52, `_id fields may not contain '$'-prefixed fields: ${dollar} is not valid for storage.`);
  }
}
