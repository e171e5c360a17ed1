import { Module } from '@nestjs/common';
import { DownloadsModule } from '../downloads/downloads.module';
import { AgentConfigurationService } from './agent-configuration.service';
import { AgentConnectService } from './agent-connect.service';
import { AgentCredentialsService } from './agent-credentials.service';
import { AgentLinkController } from './agent-link.controller';
import { AgentLinkService } from './agent-link.service';
import { AgentStoreModule } from './agent-store.module';
import { AgentsController } from './agents.controller';
import { AgentsService } from './agents.service';
import { SecretVerifier } from './secret-verifier';

/** Identities: CRUD, credentials, connect and presence. The sessions' room provides SessionConfigurationSource. */
@Module({
  imports: [AgentStoreModule, DownloadsModule],
  controllers: [AgentsController, AgentLinkController],
  providers: [
    AgentsService,
    AgentConnectService,
    AgentConfigurationService,
    AgentCredentialsService,
    AgentLinkService,
    SecretVerifier,
  ],
  exports: [AgentsService, AgentLinkService, AgentConfigurationService],
})
export class AgentsModule {}
