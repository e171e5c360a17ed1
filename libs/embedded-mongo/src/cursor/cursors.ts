import { Long } from 'bson';
import { MAX_DOCUMENT_BYTES } from '../bson/raw';
import { MongoError } from '../errors';
import { type Pacer, pump } from './pump';
import { type PAUSE } from '../query/query';

/** A result that is produced while it is read: encoded documents with pauses between. */
export type DocumentStream = Generator<Buffer | typeof PAUSE>;

export interface Batch {
  documents: Buffer[];
  /** Zero when there is nothing more. */
  cursorId: Long;
}

interface OpenCursor {
  namespace: string;
  stream: DocumentStream;
  /** A document that no longer fitted into the last batch. */
  held: Buffer | undefined;
  busy: boolean;
  usedAt: number;
}

const FIRST_BATCH_DOCUMENTS = 101;
const IDLE_MS = 10 * 60 * 1000;

/** The open cursors of the server, by id. An idle one is closed after ten minutes. */
export class Cursors {
  private readonly open = new Map<string, OpenCursor>();
  private nextId = 1;

  get size(): number {
    return this.open.size;
  }

  /** Reads the first batch; what is left becomes a cursor unless `single` is set. */
  async start(
    namespace: string,
    stream: DocumentStream,
    batchSize: number | undefined,
    single: boolean,
    pacer: Pacer,
  ): Promise<Batch> {
    const cursor: OpenCursor = { namespace, stream, held: undefined, busy: false, usedAt: Date.now() };
    const { documents, done } = await readBatch(cursor, batchSize ?? FIRST_BATCH_DOCUMENTS, pacer);
    if (done || single) {
      stream.return(undefined);
      return { documents, cursorId: Long.ZERO };
    }
    const cursorId = Long.fromNumber(this.nextId++)
      .shiftLeft(20)
      .or(Math.floor(Math.random() * 0xfffff) + 1);
    this.open.set(cursorId.toString(), cursor);
    return { documents, cursorId };
  }

  async more(namespace: string, id: Long, batchSize: number | undefined, pacer: Pacer): Promise<Batch> {
    const cursor = this.open.get(id.toString());
    if (!cursor) throw new MongoError(43, `cursor id ${id.toString()} not found`);
    if (cursor.namespace !== namespace) {
      throw new MongoError(
        13,
        `Requested getMore on namespace '${namespace}', but cursor belongs to a different namespace ${cursor.namespace}`,
      );
    }
    if (cursor.busy) throw new MongoError(12, `cursor id ${id.toString()} is already in use`);
    cursor.busy = true;
    try {
      const { documents, done } = await readBatch(cursor, batchSize || Infinity, pacer);
      if (done) this.open.delete(id.toString());
      return { documents, cursorId: done ? Long.ZERO : id };
    } catch (error) {
      this.open.delete(id.toString());
      throw error;
    } finally {
      cursor.busy = false;
      cursor.usedAt = Date.now();
    }
  }

  kill(id: Long): boolean {
    const cursor = this.open.get(id.toString());
    if (cursor && !cursor.busy) cursor.stream.return(undefined);
    return this.open.delete(id.toString());
  }

  closeIdle(now = Date.now()): void {
    for (const [id, cursor] of this.open) {
      if (!cursor.busy && now - cursor.usedAt > IDLE_MS) this.kill(Long.fromString(id));
    }
  }
}

async function readBatch(
  cursor: OpenCursor,
  size: number,
  pacer: Pacer,
): Promise<{ documents: Buffer[]; done: boolean }> {
  const documents: Buffer[] = [];
  let bytes = 0;
  const take = (document: Buffer): boolean => {
    if (documents.length >= size || (documents.length > 0 && bytes + document.length > MAX_DOCUMENT_BYTES)) {
      cursor.held = document;
      return false;
    }
    documents.push(document);
    bytes += document.length;
    return true;
  };
  const { held } = cursor;
  cursor.held = undefined;
  if (held && !take(held)) return { documents, done: false };
  // One document is read ahead, so that an exhausted cursor is known to be one.
  const done = await pump(cursor.stream, take, pacer);
  return { documents, done };
}
