import { Binary, BSONRegExp, BSONSymbol, type Code, Decimal128, Long, type ObjectId, type Timestamp } from 'bson';
import { Bracket, bracketOf, isNumeric, type Numeric, toNumber } from './types';

/** MongoDB's total order of values: brackets first, then within the bracket. Missing sorts with null (see `sortValue`). */
export function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b);
  if (typeof a === 'number' && typeof b === 'number') return compareDoubles(a, b);
  const bracket = bracketOf(a);
  const other = bracketOf(b);
  return bracket === other ? compareWithin(bracket, a, b) : bracket - other;
}

export function equalValues(a: unknown, b: unknown): boolean {
  return a === b || compareValues(a, b) === 0;
}

function compareWithin(bracket: Bracket, a: unknown, b: unknown): number {
  switch (bracket) {
    case Bracket.number:
      return compareNumbers(a as Numeric, b as Numeric);
    case Bracket.string:
      return compareStrings(asString(a), asString(b));
    case Bracket.object:
      return compareObjects(a as object, b as object);
    case Bracket.array:
      return compareArrays(a as unknown[], b as unknown[]);
    case Bracket.binary:
      return compareBinary(a as Binary | Uint8Array, b as Binary | Uint8Array);
    case Bracket.objectId:
      return Buffer.compare((a as ObjectId).id, (b as ObjectId).id);
    case Bracket.boolean:
      return Number(a) - Number(b);
    case Bracket.date:
      return compareDoubles((a as Date).getTime(), (b as Date).getTime());
    case Bracket.timestamp:
      return (a as Timestamp).compare(b as Timestamp);
    case Bracket.regex: {
      const [x, y] = [regexParts(a), regexParts(b)];
      return compareStrings(x.pattern, y.pattern) || compareStrings(x.options, y.options);
    }
    case Bracket.code:
      return compareStrings((a as Code).code, (b as Code).code);
    default:
      return 0;
  }
}

/** By UTF-8 bytes, as MongoDB does. UTF-16 order differs only where surrogates meet U+E000 and above. */
function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? surrogatesLast(x) - surrogatesLast(y) : x - y;
  }
  return a.length - b.length;
}

const surrogatesLast = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit + 0x2000);

export const asString = (value: unknown): string => (value instanceof BSONSymbol ? value.value : (value as string));

/** NaN is the smallest number and equal to itself; zero has no sign. */
function compareDoubles(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
}

/** Exact, whatever the stored types: a 64-bit integer or a decimal is not rounded to a double first. */
function compareNumbers(a: Numeric, b: Numeric): number {
  const [x, y] = [toNumber(a), toNumber(b)];
  if (!Number.isFinite(x) || !Number.isFinite(y)) return compareDoubles(x, y);
  if (x !== y && !needsExact(a) && !needsExact(b)) return x < y ? -1 : 1;
  if (x === y && !needsExact(a) && !needsExact(b)) return 0;
  const [an, ad] = toFraction(a);
  const [bn, bd] = toFraction(b);
  const difference = an * bd - bn * ad;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function needsExact(value: Numeric): boolean {
  if (value instanceof Decimal128) return true;
  if (typeof value === 'bigint') return true;
  return value instanceof Long && !Number.isSafeInteger(value.toNumber());
}

/** A finite number as numerator and positive denominator. */
export function toFraction(value: Numeric): [bigint, bigint] {
  if (typeof value === 'bigint') return [value, 1n];
  if (value instanceof Long) return [value.toBigInt(), 1n];
  if (value instanceof Decimal128) return decimalFraction(value.toString());
  return doubleFraction(toNumber(value));
}

function decimalFraction(text: string): [bigint, bigint] {
  const [mantissa = '0', exponent = '0'] = text.split('E');
  const point = mantissa.indexOf('.');
  const digits = BigInt(mantissa.replace('.', ''));
  const scale = Number(exponent) - (point < 0 ? 0 : mantissa.length - point - 1);
  return scale >= 0 ? [digits * 10n ** BigInt(scale), 1n] : [digits, 10n ** BigInt(-scale)];
}

function doubleFraction(value: number): [bigint, bigint] {
  let denominator = 1n;
  let scaled = value;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    denominator *= 2n;
  }
  return [BigInt(scaled), denominator];
}

/** Field by field in stored order: type, then name, then value. */
function compareObjects(a: object, b: object): number {
  const [xs, ys] = [Object.entries(a), Object.entries(b)];
  for (let i = 0; i < Math.min(xs.length, ys.length); i++) {
    const [xName, x] = xs[i] as [string, unknown];
    const [yName, y] = ys[i] as [string, unknown];
    const order = bracketOf(x) - bracketOf(y) || compareStrings(xName, yName) || compareValues(x, y);
    if (order !== 0) return order;
  }
  return xs.length - ys.length;
}

function compareArrays(a: readonly unknown[], b: readonly unknown[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareValues(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Length, then subtype, then bytes. */
function compareBinary(a: Binary | Uint8Array, b: Binary | Uint8Array): number {
  const [x, y] = [binaryBytes(a), binaryBytes(b)];
  return x.length - y.length || binarySubtype(a) - binarySubtype(b) || Buffer.compare(x, y);
}

export const binaryBytes = (value: Binary | Uint8Array): Uint8Array =>
  value instanceof Binary ? value.buffer.subarray(0, value.position) : value;
export const binarySubtype = (value: Binary | Uint8Array): number => (value instanceof Binary ? value.sub_type : 0);

export function regexParts(value: unknown): { pattern: string; options: string } {
  if (value instanceof BSONRegExp) return { pattern: value.pattern, options: value.options };
  const regex = value as RegExp;
  return { pattern: regex.source, options: regex.flags.replace(/[^imsux]/g, '') };
}

/** Two values are in one bracket for a range comparison; numbers include every numeric type. */
export function sameBracket(a: unknown, b: unknown): boolean {
  return bracketOf(a) === bracketOf(b);
}

export const isNaNValue = (value: unknown): boolean => isNumeric(value) && Number.isNaN(toNumber(value));
