import { MongoError } from '../errors';
import { MAX_MESSAGE_BYTES } from '../commands/server-info';

const OpCode = { reply: 1, query: 2004, msg: 2013 } as const;

const HEADER_BYTES = 16;
const CHECKSUM_PRESENT = 1;
const MORE_TO_COME = 2;
const EXHAUST_ALLOWED = 1 << 16;
const REQUIRED_FLAGS_MASK = 0xffff;

/** One request: a command as bytes, with the document sequences sent beside it. */
export interface Request {
  requestId: number;
  opCode: typeof OpCode.msg | typeof OpCode.query;
  body: Buffer;
  sequences: Map<string, Buffer[]>;
  /** The client waits for no answer. */
  fireAndForget: boolean;
  /** The database of a legacy query, which names it outside the body. */
  database?: string;
}

/** Cuts a byte stream into messages. */
export class MessageReader {
  private chunks: Buffer[] = [];
  private buffered = 0;

  /** Takes what arrived and answers the messages that are complete. Throws on a length no message can have. */
  push(chunk: Buffer): Buffer[] {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    const messages: Buffer[] = [];
    for (let length = this.nextLength(); length !== undefined && this.buffered >= length; length = this.nextLength()) {
      messages.push(this.take(length));
    }
    return messages;
  }

  private nextLength(): number | undefined {
    if (this.buffered < HEADER_BYTES) return undefined;
    if ((this.chunks[0] as Buffer).length < HEADER_BYTES) this.chunks = [Buffer.concat(this.chunks)];
    const length = (this.chunks[0] as Buffer).readInt32LE(0);
    if (length < HEADER_BYTES || length > MAX_MESSAGE_BYTES) {
      throw new MongoError(
        2,
        `message of ${length} bytes; it must have between ${HEADER_BYTES} and ${MAX_MESSAGE_BYTES}`,
      );
    }
    return length;
  }

  private take(length: number): Buffer {
    const all = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks);
    const rest = all.subarray(length);
    this.chunks = rest.length > 0 ? [rest] : [];
    this.buffered = rest.length;
    return all.subarray(0, length);
  }
}

/** Takes a message apart. Throws `MongoError` for what is malformed or not spoken here. */
export function parseRequest(message: Buffer): Request {
  const requestId = message.readInt32LE(4);
  const opCode = message.readInt32LE(12);
  try {
    if (opCode === OpCode.msg) return parseMsg(message, requestId);
    if (opCode === OpCode.query) return parseQuery(message, requestId);
  } catch (error) {
    if (error instanceof RangeError) throw new MongoError(22, `malformed message: ${error.message}`);
    throw error;
  }
  throw new MongoError(352, `unsupported wire protocol operation ${opCode}`);
}

function parseMsg(message: Buffer, requestId: number): Request {
  const flags = message.readUInt32LE(16);
  const unknown = flags & REQUIRED_FLAGS_MASK & ~(CHECKSUM_PRESENT | MORE_TO_COME);
  if (unknown !== 0) throw new MongoError(2, `unknown required OP_MSG flags 0x${unknown.toString(16)}`);
  const end = flags & CHECKSUM_PRESENT ? message.length - 4 : message.length;
  const sequences = new Map<string, Buffer[]>();
  let body: Buffer | undefined;
  let at = 20;
  while (at < end) {
    const kind = message[at++];
    if (kind === 0) {
      if (body) throw new MongoError(2, 'OP_MSG has more than one body');
      body = documentAt(message, at, end);
      at += body.length;
    } else if (kind === 1) {
      at = readSequence(message, at, end, sequences);
    } else {
      throw new MongoError(2, `unknown OP_MSG section kind ${kind}`);
    }
  }
  if (!body) throw new MongoError(2, 'OP_MSG has no body');
  const fireAndForget = (flags & MORE_TO_COME) !== 0 && (flags & EXHAUST_ALLOWED) === 0;
  return { requestId, opCode: OpCode.msg, body, sequences, fireAndForget };
}

function readSequence(message: Buffer, start: number, limit: number, sequences: Map<string, Buffer[]>): number {
  const end = start + message.readInt32LE(start);
  const nameEnd = message.indexOf(0, start + 4);
  if (end > limit || nameEnd < 0 || nameEnd >= end) throw new MongoError(2, 'malformed OP_MSG document sequence');
  const documents: Buffer[] = [];
  for (let at = nameEnd + 1; at < end;) {
    const document = documentAt(message, at, end);
    documents.push(document);
    at += document.length;
  }
  sequences.set(message.toString('utf8', start + 4, nameEnd), documents);
  return end;
}

function documentAt(message: Buffer, at: number, limit: number): Buffer {
  const size = message.readInt32LE(at);
  if (size < 5 || at + size > limit) throw new MongoError(22, 'malformed message: a document runs past its section');
  return message.subarray(at, at + size);
}

/** OP_QUERY survives for the first handshake message only. */
function parseQuery(message: Buffer, requestId: number): Request {
  const nameEnd = message.indexOf(0, 20);
  const namespace = message.toString('utf8', 20, nameEnd);
  const body = documentAt(message, nameEnd + 9, message.length);
  if (!namespace.endsWith('.$cmd')) {
    throw new MongoError(352, `Unsupported OP_QUERY command: find. The client driver may require an upgrade.`);
  }
  const database = namespace.slice(0, -'.$cmd'.length);
  return { requestId, opCode: OpCode.query, body, sequences: new Map(), fireAndForget: false, database };
}

let lastRequestId = 0;

/** A reply in the form of its request. */
export function replyTo(request: { requestId: number; opCode: number }, document: Buffer): Buffer {
  const legacy = request.opCode === OpCode.query;
  const prefix = Buffer.alloc(HEADER_BYTES + (legacy ? 20 : 5));
  prefix.writeInt32LE(prefix.length + document.length, 0);
  prefix.writeInt32LE((lastRequestId = (lastRequestId + 1) & 0x7fffffff), 4);
  prefix.writeInt32LE(request.requestId, 8);
  prefix.writeInt32LE(legacy ? OpCode.reply : OpCode.msg, 12);
  // OP_REPLY: flags, cursor id and starting point stay zero, one document follows. OP_MSG: no flags, one body section.
  if (legacy) prefix.writeInt32LE(1, 32);
  return Buffer.concat([prefix, document]);
}
