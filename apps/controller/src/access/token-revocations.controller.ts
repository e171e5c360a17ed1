import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CreateTokenRevocation, type TokenRevocationView } from '@reins/shared/api/access';
import { HEADERS, PageQuery } from '@reins/shared/api/common';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller, Needs } from './decorators';
import { type Principal, scopeOf } from './principal';
import { TokenRevocationsService } from './token-revocations.service';

class CreateTokenRevocationDto extends createZodDto(CreateTokenRevocation) {}
class TokenRevocationPageDto extends createZodDto(PageQuery) {}

@ApiTags('token revocations')
@Controller('admin/token-revocations')
@Needs('admin')
export class TokenRevocationsController {
  constructor(private readonly revocations: TokenRevocationsService) {}

  @Post()
  @ApiOperation({ summary: "End a user's tokens, or those of all users, that were issued until now" })
  @ApiResponse({ status: 201, description: 'The revocation; the newest of a user replaces the one before' })
  create(@Caller() caller: Principal, @Body() body: CreateTokenRevocationDto): Promise<TokenRevocationView> {
    return this.revocations.create(scopeOf(caller), body, caller.actor);
  }

  @Get()
  @ApiOperation({ summary: 'List revocations, newest first' })
  @ApiResponse({ status: 200, description: 'A bare array; X-Total-Count has the number of all' })
  async list(
    @Caller() caller: Principal,
    @Query() query: TokenRevocationPageDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TokenRevocationView[]> {
    const { items, total } = await this.revocations.list(scopeOf(caller), query);
    response.setHeader(HEADERS.totalCount, total);
    return items;
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Lift a revocation: the tokens it refused and that have not expired count again' })
  @ApiResponse({ status: 204, description: 'Lifted' })
  async lift(@Caller() caller: Principal, @Param('id') id: string): Promise<void> {
    await this.revocations.lift(scopeOf(caller), id, caller.actor);
  }
}
