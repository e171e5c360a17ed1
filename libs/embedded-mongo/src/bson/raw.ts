import { BSONError, deserialize, ObjectId, serialize } from 'bson';
import { MongoError } from '../errors';
import { type Document } from './types';

export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;
/** The server's own overhead on top of a user document, as in MongoDB. */
const MAX_INTERNAL_BYTES = MAX_DOCUMENT_BYTES + 16 * 1024;

/** Plain numbers: fast, for matching, sorting, index keys and aggregation. Whether 5 was an int or a double is lost. */
export function decode(raw: Uint8Array): Document {
  return guard(() => deserialize(raw, { promoteBuffers: false, bsonRegExp: false }));
}

/** Every number keeps its stored type, so that rewriting the document changes only what was asked for. */
export function decodeTyped(raw: Uint8Array): Document {
  return guard(() => deserialize(raw, { promoteValues: false, bsonRegExp: true }));
}

/** Like `decodeTyped`, but the documents below `field` (an array) stay bytes. */
export function decodeCommand(raw: Uint8Array, rawFields: readonly string[] = []): Document {
  const fieldsAsRaw = Object.fromEntries(rawFields.map((field) => [field, true]));
  return guard(() => deserialize(raw, { promoteValues: false, bsonRegExp: true, fieldsAsRaw }));
}

function guard<T>(fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    if (error instanceof BSONError) throw new MongoError(22, `invalid BSON: ${error.message}`);
    throw error;
  }
}

/** Serialises a document, refusing what is over 16 MiB. */
export function encode(document: Document): Buffer {
  const bytes = Buffer.from(serialize(document, { ignoreUndefined: false }));
  assertSize(bytes.length);
  return bytes;
}

export function assertSize(size: number): void {
  if (size > MAX_DOCUMENT_BYTES) {
    throw new MongoError(
      10334,
      `BSONObj size: ${size} (0x${size.toString(16).toUpperCase()}) is invalid. Size must be between 0 and ${MAX_INTERNAL_BYTES}(16MB)`,
    );
  }
}

/** One element of a raw document: `start` is its type byte, `value` its payload, `end` the next element. */
interface RawElement {
  type: number;
  name: string;
  start: number;
  value: number;
  end: number;
}

/** Walks the top level of a raw document without decoding it. */
function* rawElements(raw: Buffer): Generator<RawElement> {
  let at = 4;
  const last = raw.readInt32LE(0) - 1;
  while (at < last) {
    const start = at;
    const type = raw.readInt8(at);
    const nameEnd = raw.indexOf(0, at + 1);
    const name = raw.toString('utf8', at + 1, nameEnd);
    const value = nameEnd + 1;
    at = value + valueSize(raw, type, value);
    if (nameEnd < 0 || at > last) throw new MongoError(22, 'invalid BSON: element runs past the end of its document');
    yield { type, name, start, value, end: at };
  }
}

function valueSize(raw: Buffer, type: number, at: number): number {
  switch (type) {
    case 0x06: // undefined
    case 0x0a: // null
    case -1: // minKey
    case 0x7f: // maxKey
      return 0;
    case 0x08: // bool
      return 1;
    case 0x10: // int
      return 4;
    case 0x01: // double
    case 0x09: // date
    case 0x11: // timestamp
    case 0x12: // long
      return 8;
    case 0x07: // objectId
      return 12;
    case 0x13: // decimal
      return 16;
    case 0x02: // string
    case 0x0d: // code
    case 0x0e: // symbol
      return 4 + raw.readInt32LE(at);
    case 0x03: // object
    case 0x04: // array
    case 0x0f: // code with scope
      return raw.readInt32LE(at);
    case 0x05: // binary
      return 5 + raw.readInt32LE(at);
    case 0x0c: // dbPointer
      return 4 + raw.readInt32LE(at) + 12;
    case 0x0b: // regex
      return raw.indexOf(0, raw.indexOf(0, at) + 1) + 1 - at;
    default:
      throw new MongoError(22, `invalid BSON: unknown element type 0x${(type & 0xff).toString(16)}`);
  }
}

/** The bytes as they are stored: `_id` comes first and exists. */
export function withIdFirst(raw: Buffer): Buffer {
  let position = 0;
  for (const element of rawElements(raw)) {
    if (element.name === '_id') {
      if (position === 0) return raw;
      return spliceFirst(raw, raw.subarray(element.start, element.end), element.start, element.end);
    }
    position++;
  }
  const id = Buffer.alloc(17);
  id[0] = 0x07;
  id.write('_id\0', 1, 'latin1');
  new ObjectId().id.forEach((byte, i) => (id[5 + i] = byte));
  return spliceFirst(raw, id, raw.length, raw.length);
}

function spliceFirst(raw: Buffer, element: Buffer, cutStart: number, cutEnd: number): Buffer {
  const result = Buffer.concat([raw.subarray(0, 4), element, raw.subarray(4, cutStart), raw.subarray(cutEnd)]);
  result.writeInt32LE(result.length, 0);
  return result;
}
