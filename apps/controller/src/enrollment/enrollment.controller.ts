import { Body, Controller, Post, Req } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { EnrollRequest, EnrollResponse } from '@reins/shared/api/enrollment';
import { type Request } from 'express';
import { createZodDto } from 'nestjs-zod';
import { Public } from '../access/decorators';
import { EnrollmentService } from './enrollment.service';

class EnrollDto extends createZodDto(EnrollRequest) {}
class EnrollResponseDto extends createZodDto(EnrollResponse) {}

@ApiTags('enrollment')
@Controller('agents')
export class EnrollmentController {
  constructor(private readonly enrollment: EnrollmentService) {}

  @Post('enroll')
  @Public()
  @ApiOperation({ summary: 'Register as a new agent: an enrollment token for an id and a secret' })
  @ApiResponse({ status: 201, description: 'The id and the secret, shown this once', type: EnrollResponseDto })
  @ApiResponse({ status: 401, description: 'The token is unknown, expired, revoked or used up; which one is not said' })
  @ApiResponse({ status: 429, description: 'Too many refusals of this address; Retry-After says how long' })
  enroll(@Body() body: EnrollDto, @Req() request: Request): Promise<EnrollResponse> {
    return this.enrollment.enroll(body, request.ip ?? 'unknown');
  }
}
