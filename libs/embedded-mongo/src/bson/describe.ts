import { BSONRegExp, Decimal128, type ObjectId, type Timestamp } from 'bson';
import { binaryBytes, binarySubtype } from './compare';
import { Bracket, bracketOf, isNumeric, toNumber } from './types';
import { type Binary } from 'bson';

/** A value as it appears in MongoDB's error messages, for example `{ email: "a", n: 1 }`. */
export function describe(value: unknown): string {
  switch (bracketOf(value)) {
    case Bracket.string:
      return JSON.stringify(value);
    case Bracket.number:
      if (value instanceof Decimal128) return value.toString();
      return isNumeric(value) ? String(toNumber(value)) : '';
    case Bracket.object:
      return describeObject(value as object);
    case Bracket.array:
      return (value as unknown[]).length === 0 ? '[]' : `[ ${(value as unknown[]).map(describe).join(', ')} ]`;
    case Bracket.objectId:
      return `ObjectId('${(value as ObjectId).toHexString()}')`;
    case Bracket.date:
      return `new Date(${(value as Date).getTime()})`;
    case Bracket.binary: {
      const binary = value as Binary | Uint8Array;
      return `BinData(${binarySubtype(binary)}, ${Buffer.from(binaryBytes(binary)).toString('hex').toUpperCase()})`;
    }
    case Bracket.timestamp:
      return `Timestamp(${(value as Timestamp).high}, ${(value as Timestamp).low})`;
    case Bracket.regex:
      return value instanceof BSONRegExp ? `/${value.pattern}/${value.options}` : String(value);
    case Bracket.minKey:
      return 'MinKey';
    case Bracket.maxKey:
      return 'MaxKey';
    default:
      return String(value);
  }
}

function describeObject(value: object): string {
  const fields = Object.entries(value).map(([name, field]) => `${name}: ${describe(field)}`);
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}
