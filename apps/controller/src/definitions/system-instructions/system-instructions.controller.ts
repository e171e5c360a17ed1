import { Body, Controller, Get, Put, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { SystemInstructions, type SystemInstructionsView } from '@reins/shared/api/definitions';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller } from '../../access/decorators';
import { type Principal, scopeOf } from '../../access/principal';
import { bareList, PageQueryDto } from '../bare-list';
import { SystemInstructionsService } from './system-instructions.service';

class SystemInstructionsDto extends createZodDto(SystemInstructions) {}

@ApiTags('system instructions')
@Controller('admin/system-instructions')
export class SystemInstructionsController {
  constructor(private readonly instructions: SystemInstructionsService) {}

  @Get()
  @ApiOperation({ summary: 'Get the text put before the instructions of every worker' })
  @ApiResponse({ status: 200, description: 'The current version' })
  get(@Caller() caller: Principal): Promise<SystemInstructionsView> {
    return this.instructions.current(scopeOf(caller));
  }

  @Put()
  @ApiOperation({ summary: 'Replace the text; living sessions go by it from their next turn on' })
  @ApiResponse({ status: 200, description: 'The new version' })
  put(@Caller() caller: Principal, @Body() body: SystemInstructionsDto): Promise<SystemInstructionsView> {
    return this.instructions.replace(scopeOf(caller), body.content, caller.actor);
  }

  @Get('versions')
  @ApiOperation({ summary: 'List all versions of the text, newest first' })
  @ApiResponse({ status: 200, description: 'A bare array; X-Total-Count has the number of all' })
  async versions(
    @Caller() caller: Principal,
    @Query() query: PageQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SystemInstructionsView[]> {
    return bareList(response, await this.instructions.history(scopeOf(caller), query), (version) => version);
  }
}
