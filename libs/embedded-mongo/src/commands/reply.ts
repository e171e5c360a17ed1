import { type Long, serialize } from 'bson';
import { type Batch } from '../cursor/cursors';

/** `{cursor: {id, ns, firstBatch | nextBatch: […]}, ok: 1}` around documents that are bytes already. */
export function cursorReply(
  namespace: string,
  field: 'firstBatch' | 'nextBatch',
  { documents, cursorId }: Batch,
): Buffer {
  const head = Buffer.from(serialize({ id: cursorId, ns: namespace }));
  const array = arrayOf(documents);
  const cursor = frame([head.subarray(4, -1), Buffer.from(`\x04${field}\0`, 'latin1'), array]);
  const ok = Buffer.from(serialize({ ok: 1 }));
  return frame([Buffer.from('\x03cursor\0', 'latin1'), cursor, ok.subarray(4, -1)]);
}

export const emptyCursor = (namespace: string, zero: Long): Buffer =>
  cursorReply(namespace, 'firstBatch', { documents: [], cursorId: zero });

/** A BSON document of the given elements. */
function frame(parts: readonly Buffer[]): Buffer {
  const size = parts.reduce((sum, part) => sum + part.length, 5);
  const length = Buffer.allocUnsafe(4);
  length.writeInt32LE(size, 0);
  return Buffer.concat([length, ...parts, Buffer.of(0)], size);
}

function arrayOf(documents: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  documents.forEach((document, i) => parts.push(Buffer.from(`\x03${i}\0`, 'latin1'), document));
  return frame(parts);
}
