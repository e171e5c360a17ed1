import { HttpException } from '@nestjs/common';
import { type ErrorCode, ERRORS, type FieldIssue, ReinsError } from '@reins/shared/errors';
import { ZodValidationException } from 'nestjs-zod';
import { ZodError } from 'zod';

/** Names under which the MongoDB driver and mongoose report that the server cannot be reached. */
const DATABASE_DOWN =
  /^(MongoNetwork|MongoServerSelection|MongoPoolCleared|MongoPoolClosed|MongoNotConnected|MongoTopologyClosed|MongoWaitQueueTimeout|MongooseServerSelection|MongoOperationTimeout|MongoClientClosed)/;

/** A connection that breaks in the middle of a command shows as the system's own error. */
const BROKEN_CONNECTION = new Set(['EPIPE', 'ECONNRESET', 'ECONNREFUSED', 'ENOENT']);

function isDatabaseDown(error: Error & { code?: unknown; syscall?: unknown }): boolean {
  if (DATABASE_DOWN.test(error.name) || /initial connection is complete/.test(error.message)) return true;
  const onSocket = error.syscall === 'write' || error.syscall === 'read' || error.syscall === 'connect';
  return onSocket && typeof error.code === 'string' && BROKEN_CONNECTION.has(error.code);
}

/** Whatever was thrown, as an error of the table; anything unknown becomes `internal` and keeps its cause for the log. */
export function toReinsError(thrown: unknown): ReinsError {
  if (thrown instanceof ReinsError) return thrown;
  if (thrown instanceof ZodValidationException) return validationError(thrown.getZodError());
  if (thrown instanceof ZodError) return validationError(thrown);
  if (thrown instanceof HttpException) return ofStatus(thrown.getStatus(), thrown);
  if (thrown instanceof Error) {
    if (isDatabaseDown(thrown)) {
      return new ReinsError('database_unavailable', { cause: thrown, retryAfterMs: 1000 });
    }
    const parser = thrown as Error & { status?: unknown; type?: unknown };
    if (typeof parser.status === 'number' && parser.status < 500) {
      if (parser.type === 'entity.parse.failed') return new ReinsError('invalid_json', { cause: thrown });
      return ofStatus(parser.status, thrown);
    }
  }
  return new ReinsError('internal', { cause: thrown });
}

/** A zod error as the list of wrong fields, each with its dotted path. */
export function validationError(error: unknown): ReinsError {
  const issues = error instanceof ZodError ? error.issues : [];
  const details: FieldIssue[] = issues.map((issue) => ({
    path: issue.path.map(String).join('.'),
    message: issue.message,
    code: issue.code ?? 'custom',
  }));
  return new ReinsError('validation_failed', { details });
}

const BY_STATUS: Record<number, ErrorCode> = {
  400: 'validation_failed',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  409: 'conflict',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
};

function ofStatus(status: number, cause: Error): ReinsError {
  const code = BY_STATUS[status] ?? (status < 500 ? 'validation_failed' : 'internal');
  if (code === 'not_found') return new ReinsError('not_found', { message: cause.message, cause });
  if (code === 'validation_failed') {
    return new ReinsError(code, { details: [{ path: '', message: cause.message, code: 'invalid_request' }], cause });
  }
  return new ReinsError(code, { message: ERRORS[code].message, cause });
}
