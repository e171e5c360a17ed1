import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type SkillView, UpdateSkill } from '@reins/shared/api/definitions';
import { ReinsError } from '@reins/shared/errors';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller } from '../../access/decorators';
import { type Principal, scopeOf } from '../../access/principal';
import { bareList, PageQueryDto } from '../bare-list';
import { toSkillView } from './skill.view';
import { SkillsService } from './skills.service';

class UpdateSkillDto extends createZodDto(UpdateSkill) {}

@ApiTags('skills')
@Controller('admin/skills')
export class SkillsController {
  constructor(private readonly skills: SkillsService) {}

  @Post()
  @ApiOperation({ summary: 'Upload a skill package (not available yet)' })
  @ApiResponse({ status: 501, description: 'Packages cannot be uploaded yet' })
  upload(): never {
    throw new ReinsError('not_implemented', { message: 'Skill packages cannot be uploaded to this version yet' });
  }

  @Get()
  @ApiOperation({ summary: 'List skills, newest first' })
  @ApiResponse({ status: 200, description: 'A bare array; X-Total-Count has the number of all' })
  async list(
    @Caller() caller: Principal,
    @Query() query: PageQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SkillView[]> {
    return bareList(response, await this.skills.list(scopeOf(caller), query), toSkillView);
  }

  @Get('by-name/:name/version/:version')
  @ApiOperation({ summary: 'Get one version of a skill by name' })
  @ApiResponse({ status: 200, description: 'The skill' })
  async getByName(
    @Caller() caller: Principal,
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<SkillView> {
    return toSkillView(await this.skills.getByName(scopeOf(caller), name, version));
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a skill' })
  @ApiResponse({ status: 200, description: 'The skill' })
  async get(@Caller() caller: Principal, @Param('id') id: string): Promise<SkillView> {
    return toSkillView(await this.skills.get(scopeOf(caller), id));
  }

  @Put(':id')
  @ApiOperation({ summary: "Change a skill's metadata; absent fields stay as they are" })
  @ApiResponse({ status: 200, description: 'The skill after the change' })
  async update(@Caller() caller: Principal, @Param('id') id: string, @Body() body: UpdateSkillDto): Promise<SkillView> {
    return toSkillView(await this.skills.update(scopeOf(caller), id, body, caller.actor));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a skill and take it away from its workers' })
  @ApiResponse({ status: 204, description: 'Deleted' })
  async delete(@Caller() caller: Principal, @Param('id') id: string): Promise<void> {
    await this.skills.delete(scopeOf(caller), id, caller.actor);
  }
}
