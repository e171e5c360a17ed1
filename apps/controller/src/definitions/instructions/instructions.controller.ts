import { Body, Controller, Delete, Get, Param, Post, Put, Req } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type AiwmDeleted } from '@reins/shared/api/aiwm';
import {
  CreateInstruction,
  INSTRUCTION_STATUSES,
  type InstructionPage,
  type InstructionView,
  UpdateInstruction,
} from '@reins/shared/api/instructions';
import { type Request } from 'express';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Caller } from '../../access/decorators';
import { demand, type Principal, scopeOf } from '../../access/principal';
import { AiwmIdPipe } from '../../common/aiwm-id';
import { type AiwmListRules, filterText, parseAiwmList } from '../../common/aiwm-list';
import { ApiAiwmList } from '../../common/aiwm-list.docs';
import { toAiwmPage } from '../../common/aiwm-page';
import { toInstructionView } from './instruction.view';
import { InstructionsService } from './instructions.service';

class CreateInstructionDto extends createZodDto(CreateInstruction) {}
class UpdateInstructionDto extends createZodDto(UpdateInstruction) {}

const EQUALS = z.object({ status: z.enum(INSTRUCTION_STATUSES), tags: filterText });
const LIST: AiwmListRules<typeof EQUALS> = {
  equals: EQUALS,
  contains: ['name', 'description'],
  sort: ['createdAt', 'updatedAt', 'name', 'status'],
  emptyIsAbsent: true,
};

@ApiTags('instructions')
@Controller('instructions')
export class InstructionsController {
  constructor(private readonly instructions: InstructionsService) {}

  @Post()
  @ApiOperation({ summary: 'Create an instruction' })
  @ApiResponse({ status: 201, description: 'The instruction' })
  async create(@Caller() caller: Principal, @Body() body: CreateInstructionDto): Promise<InstructionView> {
    return toInstructionView(await this.instructions.create(scopeOf(caller), body, demand(caller, 'write')));
  }

  @Get()
  @ApiOperation({ summary: 'List instructions' })
  @ApiAiwmList({
    filter: 'status, tags equal; name, description contained; an empty value counts as none',
    sort: 'createdAt, updatedAt, name, status',
  })
  async list(@Caller() caller: Principal, @Req() request: Request): Promise<InstructionPage> {
    const query = parseAiwmList(request.originalUrl, LIST);
    return toAiwmPage(await this.instructions.list(scopeOf(caller), query), query, toInstructionView);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get an instruction' })
  @ApiResponse({ status: 200, description: 'The instruction' })
  async get(@Caller() caller: Principal, @Param('id', AiwmIdPipe) id: string): Promise<InstructionView> {
    return toInstructionView(await this.instructions.get(scopeOf(caller), id));
  }

  @Put(':id')
  @ApiOperation({ summary: 'Change an instruction; absent fields stay as they are' })
  @ApiResponse({ status: 200, description: 'The instruction after the change; its agents have it for their next turn' })
  @ApiResponse({ status: 409, description: 'It cannot be made inactive: agents use it' })
  async update(
    @Caller() caller: Principal,
    @Param('id', AiwmIdPipe) id: string,
    @Body() body: UpdateInstructionDto,
  ): Promise<InstructionView> {
    return toInstructionView(await this.instructions.update(scopeOf(caller), id, body, demand(caller, 'write')));
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Delete an instruction that no agent uses' })
  @ApiResponse({ status: 200, description: 'Its id, and when it was deleted' })
  @ApiResponse({ status: 409, description: 'Agents use it' })
  delete(@Caller() caller: Principal, @Param('id', AiwmIdPipe) id: string): Promise<AiwmDeleted> {
    return this.instructions.delete(scopeOf(caller), id, demand(caller, 'delete'));
  }
}
