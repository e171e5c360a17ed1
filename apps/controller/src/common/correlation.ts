import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { HEADERS } from '@reins/shared/api/common';

const ACCEPTABLE = /^[\w.:/-]{1,128}$/;

/** The caller's correlation id where it is a sane one, else a new one; echoed in the answer and in every log line. */
export function correlationId(request: IncomingMessage, response: ServerResponse): string {
  const known = response.getHeader(HEADERS.correlationId);
  if (typeof known === 'string') return known;
  const given = request.headers[HEADERS.correlationId] ?? request.headers[HEADERS.requestId];
  const id = typeof given === 'string' && ACCEPTABLE.test(given) ? given : randomUUID();
  response.setHeader(HEADERS.correlationId, id);
  response.setHeader(HEADERS.requestId, id);
  return id;
}
