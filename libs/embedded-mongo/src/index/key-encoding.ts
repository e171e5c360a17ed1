import { createHash } from 'node:crypto';
import { type Binary, type Code, Decimal128, Long, type ObjectId, type Timestamp } from 'bson';
import { asString, binaryBytes, binarySubtype, regexParts, toFraction } from '../bson/compare';
import { Bracket, bracketOf, type Numeric, toNumber } from '../bson/types';

/**
 * Order-preserving bytes: comparing two encodings byte by byte gives MongoDB's order of the values. Every encoding is
 * self-delimiting (none is a prefix of another), so encodings can be joined into compound keys and inverted for
 * descending fields.
 */
export function encodeValue(value: unknown): Buffer {
  const writer = new Writer();
  write(writer, value);
  return writer.finish();
}

/** The encodings of a compound key's fields, joined; `directions` holds 1 or -1 for each. */
export function encodeKey(values: readonly unknown[], directions: readonly number[]): Buffer {
  return Buffer.concat(values.map((value, i) => encodeField(value, directions[i] ?? 1)));
}

export function encodeField(value: unknown, direction: number): Buffer {
  const bytes = encodeValue(value);
  return direction < 0 ? invert(bytes) : bytes;
}

export function invert(bytes: Buffer): Buffer {
  for (let i = 0; i < bytes.length; i++) bytes[i] = ~(bytes[i] as number) & 0xff;
  return bytes;
}

/** The smallest key greater than every key that begins with `prefix`. */
export function afterPrefix(prefix: Buffer): Buffer {
  const next = Buffer.from(prefix);
  for (let i = next.length - 1; i >= 0; i--) {
    if (next[i] !== 0xff) {
      next[i] = (next[i] as number) + 1;
      return next.subarray(0, i + 1);
    }
  }
  return Buffer.concat([prefix, Buffer.alloc(8, 0xff)]);
}

/** LMDB's keys are bounded; a longer one keeps this many bytes and ends in a hash: exact for equality, not for order. */
export const MAX_KEY_BYTES = 1800;

export const isLongKey = (key: Buffer): boolean => key.length > MAX_KEY_BYTES;

export function shortenKey(key: Buffer): Buffer {
  if (!isLongKey(key)) return key;
  return Buffer.concat([key.subarray(0, MAX_KEY_BYTES), createHash('sha256').update(key).digest()]);
}

class Writer {
  private buffer = Buffer.allocUnsafe(64);
  private length = 0;

  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  bytes(value: Uint8Array): void {
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  uint32(value: number): void {
    this.reserve(4);
    this.length = this.buffer.writeUInt32BE(value >>> 0, this.length);
  }

  /** Sign bit flipped for positives, all bits for negatives: the order of the bytes is the order of the numbers. */
  double(value: number): void {
    this.reserve(8);
    this.buffer.writeDoubleBE(value === 0 ? 0 : value, this.length);
    const first = this.buffer[this.length] as number;
    if (first & 0x80) invert(this.buffer.subarray(this.length, this.length + 8));
    else this.buffer[this.length] = first | 0x80;
    this.length += 8;
  }

  /** UTF-8 ended by 00 00, with 00 inside written as 00 ff. */
  text(value: string): void {
    const utf8 = Buffer.from(value, 'utf8');
    if (!utf8.includes(0)) this.bytes(utf8);
    else for (const byte of utf8) this.bytes(byte === 0 ? ESCAPED_ZERO : Buffer.of(byte));
    this.bytes(TEXT_END);
  }

  finish(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  private reserve(extra: number): void {
    if (this.length + extra <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.length + extra));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }
}

const ESCAPED_ZERO = Buffer.of(0x00, 0xff);
const TEXT_END = Buffer.of(0x00, 0x00);
const END_OF_CONTAINER = 0;

function write(writer: Writer, value: unknown): void {
  writer.byte(bracketOf(value));
  writePayload(writer, value);
}

function writePayload(writer: Writer, value: unknown): void {
  switch (bracketOf(value)) {
    case Bracket.number:
      return writeNumber(writer, value as Numeric);
    case Bracket.string:
      return writer.text(asString(value));
    case Bracket.object:
      for (const [name, field] of Object.entries(value as object)) {
        writer.byte(bracketOf(field));
        writer.text(name);
        writePayload(writer, field);
      }
      return writer.byte(END_OF_CONTAINER);
    case Bracket.array:
      for (const element of value as unknown[]) write(writer, element);
      return writer.byte(END_OF_CONTAINER);
    case Bracket.binary: {
      const bytes = binaryBytes(value as Binary | Uint8Array);
      writer.uint32(bytes.length);
      writer.byte(binarySubtype(value as Binary | Uint8Array));
      return writer.bytes(bytes);
    }
    case Bracket.objectId:
      return writer.bytes((value as ObjectId).id);
    case Bracket.boolean:
      return writer.byte(value === true ? 1 : 0);
    case Bracket.date:
      return writer.double((value as Date).getTime());
    case Bracket.timestamp:
      writer.uint32((value as Timestamp).high);
      return writer.uint32((value as Timestamp).low);
    case Bracket.regex: {
      const { pattern, options } = regexParts(value);
      writer.text(pattern);
      return writer.text(options);
    }
    case Bracket.code:
      return writer.text((value as Code).code);
    default:
      return;
  }
}

const BELOW = 0x40;
const EXACT = 0x80;
const ABOVE = 0xc0;

/** The nearest double, then how the exact value stands to it: 64-bit integers and decimals stay apart and in order. */
function writeNumber(writer: Writer, value: Numeric): void {
  const double = toNumber(value);
  writer.double(Number.isNaN(double) ? -Infinity : double);
  if (!Number.isFinite(double)) return writer.byte(Number.isNaN(double) ? BELOW : EXACT);
  if (!(value instanceof Decimal128) && !(value instanceof Long) && typeof value !== 'bigint')
    return writer.byte(EXACT);
  const [numerator, denominator] = toFraction(value);
  const [base, scale] = toFraction(double);
  const difference = numerator * scale - base * denominator;
  if (difference === 0n) return writer.byte(EXACT);
  writer.byte(difference < 0n ? BELOW : ABOVE);
  // Within one double's reach: integers by their distance; decimals by 38 digits of it, far finer than they can store.
  const distance = ((difference < 0n ? -difference : difference) * 10n ** 38n) / (denominator * scale);
  const digits = distance.toString();
  const framed = Buffer.from(`${String(digits.length).padStart(4, '0')}${digits}`, 'latin1');
  writer.bytes(difference < 0n ? invert(framed) : framed);
}
