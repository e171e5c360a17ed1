import { Module } from '@nestjs/common';
import { CommandsRepository } from './commands.repository';
import { CommandsService } from './commands.service';

@Module({ providers: [CommandsRepository, CommandsService], exports: [CommandsService] })
export class CommandsModule {}
