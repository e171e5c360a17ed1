import { type Readable } from 'node:stream';
import { type OrgScope } from '../access/principal';

export interface BlobInfo {
  id: string;
  sizeBytes: number;
  sha256: string;
  contentType: string;
}

/** Bytes that are too long for a document: event data, raw outputs, later packages and snapshots. Streams, never buffers. */
export abstract class BlobStore {
  /** Stores the stream under a new id. A sha256 that does not fit what arrived: nothing is kept, validation error. */
  abstract put(
    scope: OrgScope,
    owner: string,
    contentType: string,
    bytes: Readable,
    sha256?: string,
  ): Promise<BlobInfo>;
  /** Undefined where the owner has no such blob. */
  abstract open(scope: OrgScope, owner: string, id: string): Promise<{ info: BlobInfo; bytes: Readable } | undefined>;
}

/** The whole of a short blob as text. */
export async function blobText(bytes: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
