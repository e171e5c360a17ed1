import { Module } from '@nestjs/common';
import { AgentsModule } from '../agents/agents.module';
import { CommandsModule } from '../commands/commands.module';
import { DefinitionsModule } from '../definitions/definitions.module';
import { EventsModule } from '../events/events.module';
import { SessionsModule } from '../sessions/sessions.module';
import { TurnsModule } from '../turns/turns.module';
import { Connections } from './connections';
import { FrameHandlers } from './frame-handlers';
import { Handshake } from './handshake';
import { LinkServer } from './link.server';
import { LinkState } from './link-state';
import { SessionBinder } from './session-binder';

@Module({
  imports: [AgentsModule, CommandsModule, DefinitionsModule, EventsModule, SessionsModule, TurnsModule],
  providers: [Connections, Handshake, FrameHandlers, LinkState, LinkServer, SessionBinder],
  exports: [LinkServer],
})
export class LinkModule {}
