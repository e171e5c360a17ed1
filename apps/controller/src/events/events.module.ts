import { Module } from '@nestjs/common';
import { EventLog } from './event-log';
import { SegmentsRepository } from './segments.repository';

@Module({ providers: [SegmentsRepository, EventLog], exports: [EventLog] })
export class EventsModule {}
