import { Injectable, type NestMiddleware } from '@nestjs/common';
import { systemClock } from '@reins/shared/util';
import { type NextFunction, type Request, type Response } from 'express';
import { type Histogram } from 'prom-client';
import { Metrics } from './metrics';

/** The middleware's own route, which stays where no other has matched. */
export const EVERY_ROUTE = '{*path}';

/** Times every request under the pattern of its route, so that ids make no new series. */
@Injectable()
export class HttpMetrics implements NestMiddleware {
  private readonly duration: Histogram<'method' | 'route' | 'status'>;

  constructor(metrics: Metrics) {
    this.duration = metrics.histogram(
      'reins_http_request_duration_seconds',
      'Time from the request to the end of its answer; streams count until they are closed',
      ['method', 'route', 'status'],
    );
  }

  use(request: Request, response: Response, next: NextFunction): void {
    const startedAt = systemClock.monotonic();
    response.once('close', () => {
      const labels = { method: request.method, route: routeOf(request), status: String(response.statusCode) };
      this.duration.observe(labels, (systemClock.monotonic() - startedAt) / 1000);
    });
    next();
  }
}

/** The pattern Express matched; one name for everything else. */
function routeOf(request: Request): string {
  const route = request.route as { path?: unknown } | undefined;
  return typeof route?.path === 'string' && route.path !== `/${EVERY_ROUTE}` ? route.path : 'unmatched';
}
