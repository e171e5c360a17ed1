import { Module } from '@nestjs/common';
import { BlobStore } from './blob-store.port';
import { GridFsBlobRepository } from './gridfs-blob.repository';

@Module({ providers: [{ provide: BlobStore, useClass: GridFsBlobRepository }], exports: [BlobStore] })
export class BlobsModule {}
