import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CreateWorker, type SkillView, UpdateWorker, type WorkerView } from '@reins/shared/api/definitions';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller, Needs } from '../../access/decorators';
import { type Principal, scopeOf } from '../../access/principal';
import { bareList, PageQueryDto } from '../bare-list';
import { toSkillView } from '../skills/skill.view';
import { toWorkerView } from './worker.view';
import { WorkersService } from './workers.service';

class CreateWorkerDto extends createZodDto(CreateWorker) {}
class UpdateWorkerDto extends createZodDto(UpdateWorker) {}

@ApiTags('workers')
@Controller('admin/workers')
export class WorkersController {
  constructor(private readonly workers: WorkersService) {}

  @Post()
  @ApiOperation({ summary: 'Define a worker' })
  @ApiResponse({ status: 201, description: 'The worker' })
  async create(@Caller() caller: Principal, @Body() body: CreateWorkerDto): Promise<WorkerView> {
    return toWorkerView(await this.workers.create(scopeOf(caller), body, caller.actor));
  }

  @Get()
  @ApiOperation({ summary: 'List workers, newest first' })
  @ApiResponse({ status: 200, description: 'A bare array; X-Total-Count has the number of all' })
  async list(
    @Caller() caller: Principal,
    @Query() query: PageQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<WorkerView[]> {
    return bareList(response, await this.workers.list(scopeOf(caller), query), toWorkerView);
  }

  @Get('by-name/:name')
  @ApiOperation({ summary: 'Get a worker by its name' })
  @ApiResponse({ status: 200, description: 'The worker' })
  async getByName(@Caller() caller: Principal, @Param('name') name: string): Promise<WorkerView> {
    return toWorkerView(await this.workers.getByName(scopeOf(caller), name));
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a worker' })
  @ApiResponse({ status: 200, description: 'The worker' })
  async get(@Caller() caller: Principal, @Param('id') id: string): Promise<WorkerView> {
    return toWorkerView(await this.workers.get(scopeOf(caller), id));
  }

  @Put(':id')
  @ApiOperation({ summary: 'Change a worker; absent fields stay as they are' })
  @ApiResponse({ status: 200, description: 'The worker after the change' })
  async update(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Body() body: UpdateWorkerDto,
  ): Promise<WorkerView> {
    return toWorkerView(await this.workers.update(scopeOf(caller), id, body, caller.actor));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a worker; its sessions keep what they were made with' })
  @ApiResponse({ status: 204, description: 'Deleted' })
  async delete(@Caller() caller: Principal, @Param('id') id: string): Promise<void> {
    await this.workers.delete(scopeOf(caller), id, caller.actor);
  }

  @Get(':id/skills')
  @ApiOperation({ summary: 'List the skills assigned to a worker' })
  @ApiResponse({ status: 200, description: 'A bare array of skills' })
  async skills(@Caller() caller: Principal, @Param('id') id: string): Promise<SkillView[]> {
    return (await this.workers.skillsOf(scopeOf(caller), id)).map(toSkillView);
  }

  @Post(':id/skills/:skillId')
  @HttpCode(204)
  @ApiOperation({ summary: 'Assign a skill to a worker' })
  @ApiResponse({ status: 204, description: 'Assigned' })
  async addSkill(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Param('skillId') skillId: string,
  ): Promise<void> {
    await this.workers.addSkill(scopeOf(caller), id, skillId, caller.actor);
  }

  @Delete(':id/skills/:skillId')
  @HttpCode(204)
  @Needs('write')
  @ApiOperation({ summary: 'Take a skill away from a worker' })
  @ApiResponse({ status: 204, description: 'Not assigned any more' })
  async removeSkill(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Param('skillId') skillId: string,
  ): Promise<void> {
    await this.workers.removeSkill(scopeOf(caller), id, skillId, caller.actor);
  }
}
