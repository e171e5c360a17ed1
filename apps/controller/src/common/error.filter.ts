import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import { renderError } from '@reins/shared/errors';
import { isoTime } from '@reins/shared/util';
import { type Request, type Response } from 'express';
import { correlationId } from './correlation';
import { redactUrl } from './redact-url';
import { routeFamily } from './route-family';
import { toReinsError } from './to-reins-error';

/** The one place where errors become answers, in the shape the route family promises. A 500 never shows its cause. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('ErrorFilter');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const error = toReinsError(thrown);
    const { status } = error.spec;
    const id = correlationId(request, response);
    if (status >= 500 && error.cause !== undefined) {
      this.logger.error({ err: error.cause, code: error.code, correlationId: id, path: request.path }, error.message);
    }
    if (response.headersSent) {
      // A stream that had begun can only be cut: the client sees an incomplete answer, not a wrong one.
      response.destroy();
      return;
    }
    if (error.retryAfterMs !== undefined) response.setHeader('Retry-After', Math.ceil(error.retryAfterMs / 1000));
    const context = { path: redactUrl(request.originalUrl) ?? '', correlationId: id, timestamp: isoTime(Date.now()) };
    response.status(status).json(renderError(routeFamily(request.path), error, context));
  }
}
