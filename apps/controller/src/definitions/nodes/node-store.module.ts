import { Module } from '@nestjs/common';
import { NodeTokenStates } from '../../access/authenticator';
import { NodeTokensRepository } from './node-tokens.repository';
import { NodesRepository } from './nodes.repository';

/** Stored nodes, apart from what is done with them, so that the guard can look a token up without the whole room. */
@Module({
  providers: [NodesRepository, NodeTokensRepository, { provide: NodeTokenStates, useExisting: NodeTokensRepository }],
  exports: [NodesRepository, NodeTokensRepository, NodeTokenStates],
})
export class NodeStoreModule {}
