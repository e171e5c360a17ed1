import { Module } from '@nestjs/common';
import { EventLog } from './event-log';
import { LogFanout } from './log-fanout';
import { LogWatch } from './log-watch';
import { SegmentsRepository } from './segments.repository';

@Module({ providers: [SegmentsRepository, LogFanout, EventLog, LogWatch], exports: [EventLog] })
export class EventsModule {}
