import { Binary, Long } from 'bson';
import { compareValues, equalValues, isNaNValue, sameBracket } from '../bson/compare';
import {
  Bracket,
  bracketOf,
  type Document,
  isDocument,
  isNumeric,
  toNumber,
  TYPE_CODES,
  typeAlias,
} from '../bson/types';
import { badValue, failedToParse, MongoError } from '../errors';
import { encodeValue } from '../index/key-encoding';
import { type ElementCompiler, isOperatorDocument, type MatchState, type ValueTest } from './condition';
import { compileRegex, isRegex, toRegExp } from './regex';

const BOTH = 'elements and whole';

/** Compiles `{$gt: 1, $lt: 5}`: all must hold, each for some value of the path. */
export function compileOperators(condition: Document, elements: ElementCompiler): ValueTest[] {
  const tests: ValueTest[] = [];
  for (const [operator, operand] of Object.entries(condition)) {
    if (operator === '$options') {
      if (!('$regex' in condition)) throw badValue('$options needs a $regex');
      continue;
    }
    tests.push(...compileOperator(operator, operand, condition, elements));
  }
  return tests;
}

function compileOperator(
  operator: string,
  operand: unknown,
  condition: Document,
  elements: ElementCompiler,
): ValueTest[] {
  switch (operator) {
    case '$eq':
      return [{ value: equalTo(operand), arrays: BOTH }];
    case '$ne':
      if (isRegex(operand)) throw badValue("Can't have regex as arg to $ne.");
      return [{ value: equalTo(operand), arrays: BOTH, negated: true }];
    case '$in':
      return [{ value: oneOf('$in', operand), arrays: BOTH }];
    case '$nin':
      return [{ value: oneOf('$nin', operand), arrays: BOTH, negated: true }];
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return [{ value: inRange(operator, operand), arrays: BOTH }];
    case '$exists':
      return [{ value: (value) => value !== undefined, arrays: 'whole', negated: !truthy(operand) }];
    case '$type':
      return [{ value: ofType(operand), arrays: BOTH }];
    case '$regex':
      return [{ value: matchesRegex(operand, condition.$options), arrays: BOTH }];
    case '$mod':
      return [{ value: modulo(operand), arrays: BOTH }];
    case '$size':
      return [{ value: ofSize(operand), arrays: 'whole' }];
    case '$all':
      return containsAll(operand, elements);
    case '$elemMatch':
      return [elementMatch(operand, elements)];
    case '$not':
      return [negation(operand, elements)];
    case '$bitsAllSet':
    case '$bitsAllClear':
    case '$bitsAnySet':
    case '$bitsAnyClear':
      return [{ value: bits(operator, operand), arrays: BOTH }];
    case '$comment':
      return [];
    case '$near':
    case '$nearSphere':
    case '$geoWithin':
    case '$geoIntersects':
      throw new MongoError(291, `error processing query: planner returned error :: no geo index for ${operator}`);
    default:
      throw badValue(`unknown operator: ${operator}`);
  }
}

function truthy(value: unknown): boolean {
  return isNumeric(value) ? toNumber(value) !== 0 : value !== false && value !== null && value !== undefined;
}

function equalTo(operand: unknown): (value: unknown) => boolean {
  if (operand === null || operand === undefined) return (value) => value === null || value === undefined;
  return (value) => equalValues(value, operand);
}

function oneOf(operator: string, operand: unknown): (value: unknown) => boolean {
  if (!Array.isArray(operand)) throw badValue(`${operator} needs an array`);
  const strings = new Set<unknown>();
  // By encoding, so that a list of a thousand ids costs one look-up a document.
  const others = new Set<string>();
  const patterns: ((value: unknown) => boolean)[] = [];
  for (const item of operand) {
    if (isOperatorDocument(item)) throw badValue(`cannot nest $ under ${operator}`);
    if (isRegex(item)) patterns.push(matchesRegex(item, undefined));
    else if (typeof item === 'string') strings.add(item);
    else others.add(fingerprint(item));
  }
  return (value) =>
    strings.has(value) ||
    (others.size > 0 && typeof value !== 'string' && others.has(fingerprint(value))) ||
    patterns.some((test) => test(value));
}

/** Equal values have equal fingerprints; missing counts as null. */
function fingerprint(value: unknown): string {
  return encodeValue(value ?? null).toString('latin1');
}

function inRange(operator: '$gt' | '$gte' | '$lt' | '$lte', operand: unknown): (value: unknown) => boolean {
  if (isRegex(operand)) throw badValue(`Can't have RegEx as arg to predicate over field '${operator}'.`);
  const orEqual = operator.endsWith('e');
  const sign = operator.startsWith('$gt') ? 1 : -1;
  const bracket = bracketOf(operand);
  if (bracket === Bracket.null || bracket === Bracket.undefined) {
    return (value) => orEqual && (value === null || value === undefined);
  }
  if (bracket === Bracket.minKey || bracket === Bracket.maxKey) {
    return (value) => {
      const order = compareValues(value ?? null, operand) * sign;
      return value !== undefined && (order > 0 || (orEqual && order === 0));
    };
  }
  const nan = isNaNValue(operand);
  return (value) => {
    if (!sameBracket(value, operand)) return false;
    if (nan || isNaNValue(value)) return orEqual && nan && isNaNValue(value);
    const order = compareValues(value, operand) * sign;
    return order > 0 || (orEqual && order === 0);
  };
}

function ofType(operand: unknown): (value: unknown) => boolean {
  const wanted = new Set<string>();
  for (const type of Array.isArray(operand) ? operand : [operand]) {
    if (isNumeric(type)) {
      const alias = Object.keys(TYPE_CODES).find((name) => TYPE_CODES[name] === toNumber(type));
      if (!alias) throw badValue(`Invalid numerical type code: ${toNumber(type)}`);
      wanted.add(alias);
    } else if (type === 'number') {
      ['int', 'long', 'double', 'decimal'].forEach((alias) => wanted.add(alias));
    } else if (typeof type === 'string' && type in TYPE_CODES) {
      wanted.add(type);
    } else if (typeof type === 'string') {
      throw badValue(`Unknown type name alias: ${type}`);
    } else {
      throw typeOperandError();
    }
  }
  return (value) => value !== undefined && wanted.has(typeAlias(value));
}

const typeOperandError = (): MongoError => new MongoError(14, 'type must be represented as a number or a string');

function matchesRegex(operand: unknown, options: unknown): (value: unknown) => boolean {
  if (typeof operand !== 'string' && !isRegex(operand)) throw badValue('$regex has to be a string');
  if (options !== undefined && typeof options !== 'string') throw badValue('$options has to be a string');
  const source = isRegex(operand) ? toRegExp(operand) : undefined;
  const regex = source
    ? options
      ? compileRegex(source.source, options)
      : source
    : compileRegex(operand as string, options ?? '');
  return (value) => (typeof value === 'string' && regex.test(value)) || (isRegex(value) && equalValues(value, operand));
}

function modulo(operand: unknown): (value: unknown) => boolean {
  if (!Array.isArray(operand)) throw badValue('malformed mod, needs to be an array');
  if (operand.length !== 2) {
    throw badValue(`malformed mod, ${operand.length < 2 ? 'not enough' : 'too many'} elements`);
  }
  const [divisor, remainder] = operand.map((part, i) => {
    if (!isNumeric(part)) throw badValue(`malformed mod, ${i === 0 ? 'divisor' : 'remainder'} not a number`);
    return Math.trunc(toNumber(part));
  }) as [number, number];
  if (divisor === 0) throw badValue('divisor cannot be 0');
  return (value) => {
    if (!isNumeric(value)) return false;
    const number = toNumber(value);
    return Number.isFinite(number) && Math.trunc(number) % divisor === remainder;
  };
}

function ofSize(operand: unknown): (value: unknown) => boolean {
  if (!isNumeric(operand))
    throw failedToParse(`Failed to parse $size. Expected a number in: $size: ${JSON.stringify(operand)}`);
  const size = toNumber(operand);
  if (!Number.isInteger(size)) throw failedToParse(`Failed to parse $size. Expected an integer: $size: ${size}`);
  if (size < 0) throw failedToParse(`Failed to parse $size. Expected a non-negative number in: $size: ${size}`);
  return (value) => Array.isArray(value) && value.length === size;
}

function containsAll(operand: unknown, elements: ElementCompiler): ValueTest[] {
  if (!Array.isArray(operand)) throw badValue('$all needs an array');
  if (operand.length === 0) return [{ value: () => false, arrays: 'whole' }];
  return operand.map((item): ValueTest => {
    if (isOperatorDocument(item)) {
      if (!('$elemMatch' in item)) throw badValue('no $ expressions in $all');
      return elementMatch(item.$elemMatch, elements);
    }
    return { value: isRegex(item) ? matchesRegex(item, undefined) : equalTo(item), arrays: BOTH };
  });
}

function elementMatch(operand: unknown, elements: ElementCompiler): ValueTest {
  if (!isDocument(operand)) throw badValue('$elemMatch needs an Object');
  const test = elements(operand);
  return {
    arrays: 'whole',
    value: (value, state) => {
      if (!Array.isArray(value)) return false;
      state.element = value.findIndex(test);
      return state.element >= 0;
    },
  };
}

function negation(operand: unknown, elements: ElementCompiler): ValueTest {
  if (isRegex(operand)) return { value: matchesRegex(operand, undefined), arrays: BOTH, negated: true };
  if (!isDocument(operand)) throw badValue('$not needs a regex or a document');
  if (Object.keys(operand).length === 0) throw badValue('$not cannot be empty');
  if (!isOperatorDocument(operand)) throw badValue(`unknown operator: ${Object.keys(operand)[0]}`);
  const tests = compileOperators(operand, elements);
  // Each inner test decides for itself how it sees arrays, so it gets the whole value.
  return { arrays: 'whole', negated: true, value: (value) => tests.every((test) => holds(test, value)) };
}

function holds(test: ValueTest, value: unknown): boolean {
  const state: MatchState = { element: -1 };
  const elements = Array.isArray(value) && test.arrays !== 'whole' && value.some((item) => test.value(item, state));
  const whole = !(Array.isArray(value) && test.arrays === 'elements') && test.value(value, state);
  return (elements || whole) !== (test.negated ?? false);
}

function bits(operator: string, operand: unknown): (value: unknown) => boolean {
  const mask = bitMask(operator, operand);
  return (value) => {
    const number = bitsOf(value);
    if (number === undefined) return false;
    const set = number & mask;
    if (operator === '$bitsAllSet') return set === mask;
    if (operator === '$bitsAllClear') return set === 0n;
    return operator === '$bitsAnySet' ? set !== 0n : set !== mask;
  };
}

function bitMask(operator: string, operand: unknown): bigint {
  if (Array.isArray(operand)) {
    return operand.reduce<bigint>((mask, position) => {
      if (!isNumeric(position) || toNumber(position) < 0) throw badValue('bit positions must be an integer >= 0');
      return mask | (1n << BigInt(toNumber(position)));
    }, 0n);
  }
  const mask = bitsOf(operand);
  if (mask === undefined || (isNumeric(operand) && toNumber(operand) < 0)) {
    throw badValue(`${operator} takes an Array, a number, or a BinData but received: ${typeAlias(operand)}`);
  }
  return mask;
}

function bitsOf(value: unknown): bigint | undefined {
  if (value instanceof Binary) {
    return [...value.buffer.subarray(0, value.position)].reduceRight((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
  }
  if (value instanceof Long) return value.toBigInt();
  if (!isNumeric(value)) return undefined;
  const number = toNumber(value);
  return Number.isSafeInteger(number) ? BigInt(number) : undefined;
}
