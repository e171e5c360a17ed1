import { Module } from '@nestjs/common';
import { AgentConfigurationService } from './agent-configuration.service';
import { AgentConnectService } from './agent-connect.service';
import { AgentCredentialsService } from './agent-credentials.service';
import { AgentLinkController } from './agent-link.controller';
import { AgentStoreModule } from './agent-store.module';
import { AgentsController } from './agents.controller';
import { AgentsService } from './agents.service';
import { PublicAddress } from './public-address';
import { SecretVerifier } from './secret-verifier';

/** Identities: CRUD, credentials, connect and presence. SessionConfigurationSource comes from a global module. */
@Module({
  imports: [AgentStoreModule],
  controllers: [AgentsController, AgentLinkController],
  providers: [
    AgentsService,
    AgentConnectService,
    AgentConfigurationService,
    AgentCredentialsService,
    SecretVerifier,
    PublicAddress,
  ],
  exports: [AgentsService, PublicAddress],
})
export class AgentsModule {}
