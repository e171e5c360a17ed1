/** How the one LMDB keyspace is divided: every key begins with the four-byte ident of its document store or index. */

/** Ident 0 holds the catalog, one entry per collection, keyed by its namespace. */
export const CATALOG_IDENT = 0;

export function identPrefix(ident: number): Buffer {
  const prefix = Buffer.allocUnsafe(4);
  prefix.writeUInt32BE(ident, 0);
  return prefix;
}

/** Record ids count up from 1 in each collection; their order is the natural order of the documents. */
export function encodeRecordId(id: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt32BE(Math.floor(id / 0x100000000), 0);
  bytes.writeUInt32BE(id >>> 0, 4);
  return bytes;
}

export function decodeRecordId(bytes: Buffer, offset = 0): number {
  return bytes.readUInt32BE(offset) * 0x100000000 + bytes.readUInt32BE(offset + 4);
}

export function documentKey(ident: number, recordId: number): Buffer {
  const key = Buffer.allocUnsafe(12);
  key.writeUInt32BE(ident, 0);
  key.writeUInt32BE(Math.floor(recordId / 0x100000000), 4);
  key.writeUInt32BE(recordId >>> 0, 8);
  return key;
}

export function catalogKey(namespace: string): Buffer {
  return Buffer.concat([identPrefix(CATALOG_IDENT), Buffer.from(namespace, 'utf8')]);
}
