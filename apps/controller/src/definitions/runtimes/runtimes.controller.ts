import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CreateRuntime, type RuntimeView, UpdateRuntime } from '@reins/shared/api/definitions';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller } from '../../access/decorators';
import { type Principal, scopeOf } from '../../access/principal';
import { bareList, PageQueryDto } from '../bare-list';
import { toRuntimeView } from './runtime.view';
import { RuntimesService } from './runtimes.service';

class CreateRuntimeDto extends createZodDto(CreateRuntime) {}
class UpdateRuntimeDto extends createZodDto(UpdateRuntime) {}

@ApiTags('runtimes')
@Controller('admin/runtimes')
export class RuntimesController {
  constructor(private readonly runtimes: RuntimesService) {}

  @Post()
  @ApiOperation({ summary: 'Define a runtime' })
  @ApiResponse({ status: 201, description: 'The runtime' })
  async create(@Caller() caller: Principal, @Body() body: CreateRuntimeDto): Promise<RuntimeView> {
    return toRuntimeView(await this.runtimes.create(scopeOf(caller), body, caller.actor));
  }

  @Get()
  @ApiOperation({ summary: 'List runtimes, newest first' })
  @ApiResponse({ status: 200, description: 'A bare array; X-Total-Count has the number of all' })
  async list(
    @Caller() caller: Principal,
    @Query() query: PageQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<RuntimeView[]> {
    return bareList(response, await this.runtimes.list(scopeOf(caller), query), toRuntimeView);
  }

  @Get('by-name/:name')
  @ApiOperation({ summary: 'Get a runtime by its name' })
  @ApiResponse({ status: 200, description: 'The runtime' })
  async getByName(@Caller() caller: Principal, @Param('name') name: string): Promise<RuntimeView> {
    return toRuntimeView(await this.runtimes.getByName(scopeOf(caller), name));
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a runtime' })
  @ApiResponse({ status: 200, description: 'The runtime; warmPool says how its warm pods are, where it has any' })
  get(@Caller() caller: Principal, @Param('id') id: string): Promise<RuntimeView> {
    return this.runtimes.view(scopeOf(caller), id);
  }

  @Put(':id')
  @ApiOperation({ summary: 'Change a runtime; absent fields stay as they are' })
  @ApiResponse({ status: 200, description: 'The runtime after the change' })
  async update(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Body() body: UpdateRuntimeDto,
  ): Promise<RuntimeView> {
    return toRuntimeView(await this.runtimes.update(scopeOf(caller), id, body, caller.actor));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a runtime that no worker uses' })
  @ApiResponse({ status: 204, description: 'Deleted' })
  async delete(@Caller() caller: Principal, @Param('id') id: string): Promise<void> {
    await this.runtimes.delete(scopeOf(caller), id, caller.actor);
  }
}
