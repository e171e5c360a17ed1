import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HEADERS, PageQuery } from '@reins/shared/api/common';
import { type OperationView } from '@reins/shared/api/sessions';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller, ViewerRoute } from '../access/decorators';
import { type Principal, scopeOf } from '../access/principal';
import { OperationsService } from './operations.service';

class PageQueryDto extends createZodDto(PageQuery) {}

@ApiTags('operations')
@Controller()
export class OperationsController {
  constructor(private readonly operations: OperationsService) {}

  @Get('operations/:id')
  @ApiOperation({ summary: 'One lifecycle change' })
  get(@Caller() caller: Principal, @Param('id') id: string): Promise<OperationView> {
    return this.operations.get(scopeOf(caller), id);
  }

  @Get('sessions/:id/operations')
  @ViewerRoute()
  @ApiOperation({ summary: 'Lifecycle changes of a session, newest first; they outlive it' })
  async list(
    @Caller() caller: Principal,
    @Param('id') sessionId: string,
    @Query() page: PageQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<OperationView[]> {
    const { items, total } = await this.operations.ofSession(scopeOf(caller), sessionId, page);
    response.setHeader(HEADERS.totalCount, total);
    return items;
  }
}
