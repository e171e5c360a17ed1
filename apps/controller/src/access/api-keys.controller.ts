import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type ApiKeyView, CreateApiKey, type CreatedApiKey } from '@reins/shared/api/access';
import { HEADERS, PageQuery } from '@reins/shared/api/common';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { toApiKeyView } from './api-key.view';
import { ApiKeysService } from './api-keys.service';
import { Caller, Needs } from './decorators';
import { demand, type Principal, scopeOf } from './principal';

class CreateApiKeyDto extends createZodDto(CreateApiKey) {}
class ApiKeyPageDto extends createZodDto(PageQuery) {}

@ApiTags('API keys')
@Controller('admin/api-keys')
@Needs('admin')
export class ApiKeysController {
  constructor(private readonly keys: ApiKeysService) {}

  @Post()
  @ApiOperation({ summary: 'Create an API key' })
  @ApiResponse({ status: 201, description: 'The key, shown this once' })
  @ApiResponse({ status: 403, description: 'It would be able to do more than its maker' })
  async create(@Caller() caller: Principal, @Body() body: CreateApiKeyDto): Promise<CreatedApiKey> {
    const { key, stored } = await this.keys.create(scopeOf(caller), body, demand(caller, 'admin'));
    return { ...toApiKeyView(stored), key };
  }

  @Get()
  @ApiOperation({ summary: 'List API keys, newest first' })
  @ApiResponse({
    status: 200,
    description: 'A bare array without the keys themselves; X-Total-Count has the number of all',
  })
  async list(
    @Caller() caller: Principal,
    @Query() query: ApiKeyPageDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ApiKeyView[]> {
    const { items, total } = await this.keys.list(scopeOf(caller), query);
    response.setHeader(HEADERS.totalCount, total);
    return items.map(toApiKeyView);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke an API key' })
  @ApiResponse({ status: 204, description: 'Revoked: requests with it are refused from now on' })
  async revoke(@Caller() caller: Principal, @Param('id') id: string): Promise<void> {
    await this.keys.revoke(scopeOf(caller), id, caller.actor);
  }
}
