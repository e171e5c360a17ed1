import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type AuditPage, AuditQuery } from '@reins/shared/api/audit';
import { createZodDto } from 'nestjs-zod';
import { Caller, Needs } from '../access/decorators';
import { type Principal, scopeOf } from '../access/principal';
import { AuditService } from './audit.service';

class AuditQueryDto extends createZodDto(AuditQuery) {}

@ApiTags('audit')
@Controller('admin/audit')
@Needs('admin')
export class AuditController {
  constructor(private readonly audit: AuditService) {}

  @Get()
  @ApiOperation({ summary: 'Who changed what, newest first; secrets are masked' })
  @ApiResponse({ status: 200, description: '{items, nextCursor}' })
  list(@Caller() caller: Principal, @Query() query: AuditQueryDto): Promise<AuditPage> {
    return this.audit.list(scopeOf(caller), query);
  }
}
