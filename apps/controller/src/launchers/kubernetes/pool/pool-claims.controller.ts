import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { PoolClaim, PoolClaimResponse } from '@reins/shared/api/pool';
import { type Request } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Caller, PoolRoute } from '../../../access/decorators';
import { demandPool, type Principal } from '../../../access/principal';
import { ClientGone } from '../../../common/client-gone';
import { PoolClaims } from './pool-claims.service';

class PoolClaimDto extends createZodDto(PoolClaim) {}
class PoolClaimResponseDto extends createZodDto(PoolClaimResponse) {}

/** What warm pods call, and all they may. */
@ApiTags('pool')
@Controller('pool')
export class PoolClaimsController {
  constructor(private readonly claims: PoolClaims) {}

  @Post('claims')
  @PoolRoute()
  @HttpCode(200)
  @ApiOperation({ summary: 'Wait, as a warm pod, for a session' })
  @ApiResponse({
    status: 200,
    description: 'Held open for up to 25 s; the identity to go on with, or null to ask again',
    type: PoolClaimResponseDto,
  })
  @ApiResponse({ status: 401, description: 'The pod is not to wait any more' })
  ask(@Caller() caller: Principal, @Body() body: PoolClaimDto, @Req() request: Request): Promise<PoolClaimResponse> {
    const { warmPodId } = demandPool(caller);
    return this.claims.ask(warmPodId, body.incarnation, new ClientGone(request).signal);
  }
}
