import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type Request, type Response } from 'express';
import { Authenticator } from '../access/authenticator';
import { Public } from '../access/decorators';
import { demand } from '../access/principal';
import { Config } from '../config/config';
import { isLocal } from './is-local';
import { Metrics } from './metrics';

@ApiTags('health')
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    private readonly config: Config,
    private readonly authenticator: Authenticator,
  ) {}

  /** Open to this machine; anyone else needs a token or API key that may read. */
  @Get()
  @Public()
  @ApiOperation({ summary: "Metrics in Prometheus' text format" })
  @ApiProduces('text/plain')
  @ApiResponse({ status: 200, description: 'The metrics' })
  async get(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<string> {
    if (!this.config.devMode && !isLocal(request)) {
      const { authorization } = request.headers;
      demand(await this.authenticator.authenticate({ authorization }), 'read', 'access');
    }
    response.setHeader('Content-Type', this.metrics.contentType);
    return this.metrics.text();
  }
}
