import { createHash } from 'node:crypto';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { type Connection, mongo } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { type BlobInfo, BlobStore } from './blob-store.port';

interface BlobMetadata {
  blobId: string;
  orgId: string;
  owner: string;
  sha256: string;
  contentType: string;
}

/** Blobs in GridFS: wherever the documents are, the bytes are too. */
@Injectable()
export class GridFsBlobRepository extends BlobStore {
  private indexed: Promise<unknown> | undefined;

  constructor(@InjectConnection() private readonly connection: Connection) {
    super();
  }

  async put(scope: OrgScope, owner: string, contentType: string, bytes: Readable, sha256?: string): Promise<BlobInfo> {
    const bucket = this.bucket();
    // Serves the look-up of one blob of one owner.
    this.indexed ??= this.files().createIndex({ 'metadata.blobId': 1 }, { unique: true });
    await this.indexed;
    const id = newId('blob');
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const measure = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        done(null, chunk);
      },
    });
    const upload = bucket.openUploadStream(id, { metadata: { blobId: id, orgId: scope.orgId, owner, contentType } });
    await pipeline(bytes, measure, upload);
    const actual = hash.digest('hex');
    if (sha256 !== undefined && sha256 !== actual) {
      await bucket.delete(upload.id);
      const details = [
        { path: 'sha256', message: `does not fit: ${sizeBytes} bytes arrived with ${actual}`, code: 'custom' },
      ];
      throw new ReinsError('validation_failed', { details });
    }
    await this.files().updateOne({ _id: upload.id }, { $set: { 'metadata.sha256': actual } });
    return { id, sizeBytes, sha256: actual, contentType };
  }

  async open(scope: OrgScope, owner: string, id: string): Promise<{ info: BlobInfo; bytes: Readable } | undefined> {
    const file = await this.files().findOne({
      'metadata.blobId': id,
      'metadata.owner': owner,
      'metadata.orgId': scope.orgId,
    });
    if (file === null) return undefined;
    const { sha256, contentType } = file.metadata as unknown as BlobMetadata;
    const info = { id, sizeBytes: file.length, sha256, contentType };
    return { info, bytes: this.bucket().openDownloadStream(file._id) };
  }

  private bucket(): mongo.GridFSBucket {
    return new mongo.GridFSBucket(this.database(), { bucketName: 'blobs' });
  }

  private files(): mongo.Collection<mongo.GridFSFile> {
    return this.database().collection<mongo.GridFSFile>('blobs.files');
  }

  private database(): mongo.Db {
    if (this.connection.db === undefined) throw new ReinsError('database_unavailable');
    return this.connection.db;
  }
}
