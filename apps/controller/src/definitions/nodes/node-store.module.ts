import { Module } from '@nestjs/common';
import { NodesRepository } from './nodes.repository';

/** Stored nodes, apart from what is done with them, so that the guard can look a token up without the whole room. */
@Module({ providers: [NodesRepository], exports: [NodesRepository] })
export class NodeStoreModule {}
