import { Module } from '@nestjs/common';
import { AgentsModule } from '../agents/agents.module';
import { CommandsModule } from '../commands/commands.module';
import { DefinitionsModule } from '../definitions/definitions.module';
import { EventsModule } from '../events/events.module';
import { SessionsModule } from '../sessions/sessions.module';
import { TurnsModule } from '../turns/turns.module';
import { Connections } from './connections';
import { DoorbellsRepository } from './doorbells.repository';
import { FrameHandlers } from './frame-handlers';
import { Handshake } from './handshake';
import { LinkServer } from './link.server';
import { LinkState } from './link-state';
import { LinkWatch } from './link-watch';
import { SessionBinder } from './session-binder';
import { SocketAdapter } from './socket-adapter';

@Module({
  imports: [AgentsModule, CommandsModule, DefinitionsModule, EventsModule, SessionsModule, TurnsModule],
  providers: [
    Connections,
    DoorbellsRepository,
    LinkWatch,
    SocketAdapter,
    Handshake,
    FrameHandlers,
    LinkState,
    LinkServer,
    SessionBinder,
  ],
  exports: [LinkServer],
})
export class LinkModule {}
