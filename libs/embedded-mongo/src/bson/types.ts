import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'bson';

export type Document = Record<string, unknown>;

/**
 * Place of a value's type in MongoDB's comparison order. Values of one bracket compare with each other; a range query
 * never crosses brackets. The numbers are also the type bytes of index keys, so they must never change.
 */
export const Bracket = {
  minKey: 10,
  undefined: 15,
  null: 20,
  number: 30,
  string: 60,
  object: 70,
  array: 80,
  binary: 90,
  objectId: 100,
  boolean: 110,
  date: 120,
  timestamp: 130,
  regex: 140,
  code: 160,
  maxKey: 240,
} as const;
export type Bracket = (typeof Bracket)[keyof typeof Bracket];

/** The bracket of a decoded value, promoted (plain numbers) or typed (`Int32`, `Double`, `Long`). */
export function bracketOf(value: unknown): Bracket {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return Bracket.number;
    case 'string':
      return Bracket.string;
    case 'boolean':
      return Bracket.boolean;
    case 'undefined':
      return Bracket.undefined;
  }
  if (value === null) return Bracket.null;
  if (Array.isArray(value)) return Bracket.array;
  if (value instanceof Date) return Bracket.date;
  if (value instanceof ObjectId) return Bracket.objectId;
  if (isNumeric(value)) return Bracket.number;
  if (value instanceof Binary || value instanceof Uint8Array) return Bracket.binary;
  if (value instanceof RegExp || value instanceof BSONRegExp) return Bracket.regex;
  if (value instanceof BSONSymbol) return Bracket.string;
  if (value instanceof Timestamp) return Bracket.timestamp;
  if (value instanceof Code) return Bracket.code;
  if (value instanceof MinKey) return Bracket.minKey;
  if (value instanceof MaxKey) return Bracket.maxKey;
  return Bracket.object;
}

export type Numeric = number | bigint | Int32 | Double | Long | Decimal128;

export function isNumeric(value: unknown): value is Numeric {
  if (typeof value === 'number' || typeof value === 'bigint') return true;
  if (typeof value !== 'object' || value === null) return false;
  // Timestamp extends Long but is a type of its own.
  if (value instanceof Timestamp) return false;
  return value instanceof Int32 || value instanceof Double || value instanceof Long || value instanceof Decimal128;
}

/** The nearest double; exact for everything but large 64-bit integers and decimals. */
export function toNumber(value: Numeric): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Int32 || value instanceof Double) return value.value;
  if (value instanceof Long) return value.toNumber();
  return Number(value.toString());
}

/** A plain (sub)document: not one of the BSON value classes, dates or arrays. */
export function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && bracketOf(value) === Bracket.object;
}

/** MongoDB's alias of a stored type, as `$type` and error messages use it. */
export function typeAlias(value: unknown): string {
  if (typeof value === 'number') {
    return Number.isInteger(value) && Math.abs(value) <= 0x7fffffff && !Object.is(value, -0) ? 'int' : 'double';
  }
  if (typeof value === 'bigint' || (value instanceof Long && !(value instanceof Timestamp))) return 'long';
  if (value instanceof Int32) return 'int';
  if (value instanceof Double) return 'double';
  if (value instanceof Decimal128) return 'decimal';
  if (value instanceof BSONSymbol) return 'symbol';
  if (value instanceof Code) return value.scope ? 'javascriptWithScope' : 'javascript';
  switch (bracketOf(value)) {
    case Bracket.minKey:
      return 'minKey';
    case Bracket.undefined:
      return 'undefined';
    case Bracket.null:
      return 'null';
    case Bracket.string:
      return 'string';
    case Bracket.object:
      return 'object';
    case Bracket.array:
      return 'array';
    case Bracket.binary:
      return 'binData';
    case Bracket.objectId:
      return 'objectId';
    case Bracket.boolean:
      return 'bool';
    case Bracket.date:
      return 'date';
    case Bracket.timestamp:
      return 'timestamp';
    case Bracket.regex:
      return 'regex';
    case Bracket.maxKey:
      return 'maxKey';
    default:
      return 'unknown';
  }
}

/** BSON type numbers of the aliases. */
export const TYPE_CODES: Readonly<Record<string, number>> = {
  double: 1,
  string: 2,
  object: 3,
  array: 4,
  binData: 5,
  undefined: 6,
  objectId: 7,
  bool: 8,
  date: 9,
  null: 10,
  regex: 11,
  dbPointer: 12,
  javascript: 13,
  symbol: 14,
  javascriptWithScope: 15,
  int: 16,
  timestamp: 17,
  long: 18,
  decimal: 19,
  minKey: -1,
  maxKey: 127,
};
