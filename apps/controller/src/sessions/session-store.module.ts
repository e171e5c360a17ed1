import { Global, Module } from '@nestjs/common';
import { SessionConfigurationSource } from '../agents/session-configuration.port';
import { DefinitionsModule } from '../definitions/definitions.module';
import { SessionConfigurationService } from './session-configuration';
import { SessionsRepository } from './sessions.repository';

/** Stored sessions and what their harnesses are told, apart from what is done with them: agents' connect needs both. */
@Global()
@Module({
  imports: [DefinitionsModule],
  providers: [
    SessionsRepository,
    SessionConfigurationService,
    { provide: SessionConfigurationSource, useExisting: SessionConfigurationService },
  ],
  exports: [SessionsRepository, SessionConfigurationService, SessionConfigurationSource],
})
export class SessionStoreModule {}
