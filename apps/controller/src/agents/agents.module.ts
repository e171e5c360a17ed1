import { Module } from '@nestjs/common';
import { DownloadsModule } from '../downloads/downloads.module';
import { DefinitionsModule } from '../definitions/definitions.module';
import { RecentEditsRepository } from '../definitions/recent-edits.repository';
import { AgentConfigurationService } from './agent-configuration.service';
import { AgentConnectService } from './agent-connect.service';
import { AgentCredentialsService } from './agent-credentials.service';
import { AgentKeysRepository } from './agent-keys.repository';
import { AgentLinkController } from './agent-link.controller';
import { AgentLinkService } from './agent-link.service';
import { AgentPopulation } from './agent-population';
import { AgentReferences } from './agent-references';
import { AgentStoreModule } from './agent-store.module';
import { AgentsController } from './agents.controller';
import { AgentsService } from './agents.service';
import { ConfigurationMarkRepository } from './configuration-mark.repository';
import { ConfigurationWatch } from './configuration-watch';
import { AgentEvents } from './presence/agent-events';
import { AgentEventsRepository } from './presence/agent-events.repository';
import { AgentEventStreams } from './presence/agent-event.streams';
import { AgentMetrics } from './presence/agent-metrics';
import { AgentMetricsRepository } from './presence/agent-metrics.repository';
import { ConnectGate } from './connect-gate';
import { PresenceController } from './presence/presence.controller';
import { PresenceRepository } from './presence/presence.repository';
import { PresenceService } from './presence/presence.service';
import { PresenceWatch } from './presence/presence.watch';
import { RotationController } from './rotation.controller';
import { RotationService } from './rotation.service';
import { SecretProofs } from './secret-proofs';
import { SecretVerifier } from './secret-verifier';

/** Identities: CRUD, credentials, connect and presence. The sessions' room provides SessionConfigurationSource. */
@Module({
  imports: [AgentStoreModule, DefinitionsModule, DownloadsModule],
  // `agents/events` has to be asked before `agents/:id`.
  controllers: [PresenceController, AgentsController, AgentLinkController, RotationController],
  providers: [
    AgentsService,
    AgentConnectService,
    AgentConfigurationService,
    AgentCredentialsService,
    AgentKeysRepository,
    AgentLinkService,
    AgentPopulation,
    AgentReferences,
    ConfigurationMarkRepository,
    ConfigurationWatch,
    RecentEditsRepository,
    ConnectGate,
    SecretProofs,
    SecretVerifier,
    AgentEvents,
    AgentEventsRepository,
    AgentEventStreams,
    AgentMetrics,
    AgentMetricsRepository,
    PresenceRepository,
    PresenceService,
    PresenceWatch,
    RotationService,
  ],
  exports: [AgentsService, AgentLinkService, AgentConfigurationService, AgentReferences, SecretProofs, PresenceService],
})
export class AgentsModule {}
