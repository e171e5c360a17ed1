import { Body, Controller, Param, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { RotateRequest, type RotateResponse, type RotationRequested } from '@reins/shared/api/enrollment';
import { type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { AgentRoute, Caller } from '../access/decorators';
import { demand, type Principal, scopeOf } from '../access/principal';
import { AgentIdPipe, demandAgent } from './agent-id';
import { RotationService } from './rotation.service';

class RotateDto extends createZodDto(RotateRequest) {}

@ApiTags('agents')
@Controller('agents/:id/credentials')
export class RotationController {
  constructor(private readonly rotation: RotationService) {}

  @Post('rotate')
  @AgentRoute()
  @ApiOperation({ summary: 'As the agent: fetch a new secret. As an editor: ask the agent to fetch one' })
  @ApiResponse({ status: 200, description: 'To the agent: the new secret, and until when the one before works too' })
  @ApiResponse({ status: 202, description: 'To an editor: noted; the agent rotates when it hears of it' })
  async rotate(
    @Caller() caller: Principal,
    @Param('id', AgentIdPipe) id: string,
    @Body() body: RotateDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<RotateResponse | RotationRequested> {
    if (caller.kind === 'agent') {
      demandAgent(caller, id);
      response.status(200);
      return this.rotation.rotate(scopeOf(caller), id, body, caller);
    }
    response.status(202);
    return this.rotation.request(scopeOf(caller), id, demand(caller, 'write'));
  }
}
