import { Module } from '@nestjs/common';
import { AgentTokenStates } from '../access/authenticator';
import { AgentsRepository } from './agents.repository';
import { HostsRepository } from './hosts.repository';

/** Stored agents, apart from what is done with them, so that the guard can look a token up without the whole room. */
@Module({
  providers: [AgentsRepository, HostsRepository, { provide: AgentTokenStates, useExisting: AgentsRepository }],
  exports: [AgentsRepository, AgentTokenStates, HostsRepository],
})
export class AgentStoreModule {}
