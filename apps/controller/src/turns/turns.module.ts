import { Module } from '@nestjs/common';
import { EventsModule } from '../events/events.module';
import { IdempotencyModule } from '../idempotency/idempotency.module';
import { LiveTurns } from './live-turns';
import { TurnIngest } from './turn-ingest';
import { TurnLifecycle } from './turn-lifecycle';
import { TurnQueue } from './turn-queue';
import { TurnReport } from './turn-report';
import { TurnsRepository } from './turns.repository';
import { TurnsService } from './turns.service';
import { TurnWatch } from './turn-watch';

@Module({
  imports: [EventsModule, IdempotencyModule],
  providers: [TurnsRepository, LiveTurns, TurnLifecycle, TurnQueue, TurnIngest, TurnsService, TurnReport, TurnWatch],
  exports: [TurnQueue, TurnIngest, TurnsService, TurnLifecycle],
})
export class TurnsModule {}
