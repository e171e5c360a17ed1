import { Module } from '@nestjs/common';
import { AgentStoreModule } from '../agents/agent-store.module';
import { AgentsModule } from '../agents/agents.module';
import { BlobsModule } from '../blobs/blobs.module';
import { CommandsModule } from '../commands/commands.module';
import { DefinitionsModule } from '../definitions/definitions.module';
import { EventsModule } from '../events/events.module';
import { IdempotencyModule } from '../idempotency/idempotency.module';
import { LaunchersModule } from '../launchers/launchers.module';
import { OperationsModule } from '../operations/operations.module';
import { TurnsModule } from '../turns/turns.module';
import { EndPipeline } from './end-pipeline';
import { PromptsController } from './prompts.controller';
import { PromptStreams } from './prompt-streams';
import { SessionHosting } from './session-hosting';
import { SessionEventsController } from './session-events.controller';
import { SessionLifecycle } from './session-lifecycle';
import { SessionPlaces } from './session-places';
import { SessionPods } from './session-pods';
import { SessionsController } from './sessions.controller';
import { SessionStoreModule } from './session-store.module';
import { SessionsService } from './sessions.service';
import { SessionStreams } from './session-streams';
import { SessionWatch } from './session-watch';
import { TelemetryController } from './telemetry.controller';
import { TurnAnswers } from './turn-answer';
import { ViewerTokensController } from './viewer-tokens.controller';

@Module({
  imports: [
    AgentStoreModule,
    AgentsModule,
    BlobsModule,
    CommandsModule,
    DefinitionsModule,
    EventsModule,
    IdempotencyModule,
    LaunchersModule,
    OperationsModule,
    SessionStoreModule,
    TurnsModule,
  ],
  controllers: [
    SessionsController,
    PromptsController,
    SessionEventsController,
    TelemetryController,
    ViewerTokensController,
  ],
  providers: [
    SessionsService,
    SessionLifecycle,
    EndPipeline,
    SessionWatch,
    SessionHosting,
    SessionPlaces,
    SessionPods,
    SessionStreams,
    PromptStreams,
    TurnAnswers,
  ],
  exports: [SessionLifecycle, SessionHosting],
})
export class SessionsModule {}
