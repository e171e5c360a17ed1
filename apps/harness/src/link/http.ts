import { randomUUID } from 'node:crypto';
import { type IncomingHttpHeaders, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { describeError } from '../log/logger';

export interface HttpOptions {
  method?: 'GET' | 'POST' | 'PUT';
  token?: string;
  body?: Buffer | string;
  contentType?: string;
  /** Further ones of the request. */
  headers?: Readonly<Record<string, string>>;
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Called when the request has left the process, while the answer is still to come. */
  onSent?: () => void;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The request's own, as the controller's log has it. */
  correlationId: string;
}

/** The controller answered with a status that is not a success. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';
  constructor(
    readonly status: number,
    readonly code: string | undefined,
    message: string,
    readonly correlationId: string,
    readonly retryAfterMs: number | undefined,
  ) {
    super(message);
  }
}

/** No answer came, or not all of it. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  constructor(
    message: string,
    readonly correlationId: string,
  ) {
    super(message);
  }
}

/** What a log line says about a failed request. */
export function failureFields(error: unknown): { reason: string; correlationId?: string } {
  const correlated = error instanceof HttpRefusal || error instanceof HttpFailure;
  return { reason: describeError(error), ...(correlated ? { correlationId: error.correlationId } : {}) };
}

const TIMEOUT_MS = 10_000;

/**
 * One HTTP request, its answer read whole. Rejects with `HttpRefusal` on any status from 300, and with `HttpFailure`
 * otherwise. Built on node:http because that is what the socket needs anyway: fetch would load a second client.
 */
export function httpRequest(url: string, options: HttpOptions = {}): Promise<HttpAnswer> {
  const { method = 'GET', body, timeoutMs = TIMEOUT_MS } = options;
  const correlationId = randomUUID();
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? requestHttps : requestHttp;
    const request = send(url, { method, signal, headers: headersOf(options, correlationId) }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        const answer = { status, headers, body: Buffer.concat(chunks), correlationId };
        if (answer.status >= 200 && answer.status < 300) resolve(answer);
        else reject(refusal(answer));
      });
    });
    request.on('error', fail);
    if (options.onSent !== undefined) request.once('finish', options.onSent);
    request.end(body);

    function fail(error: Error): void {
      const reason = timeout.aborted ? `no answer within ${timeoutMs} ms` : networkReason(error);
      reject(new HttpFailure(reason, correlationId));
    }
  });
}

function headersOf(options: HttpOptions, correlationId: string): Record<string, string | number> {
  const { body, contentType = 'application/json', token, headers } = options;
  return {
    accept: 'application/json',
    'x-correlation-id': correlationId,
    ...headers,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(body) }),
  };
}

/** Where a name has several addresses, the error of all of them has no message of its own. */
function networkReason(error: Error & { code?: string; errors?: unknown[] }): string {
  return error.message || describeError(error.errors?.[0] ?? error.code ?? error.name);
}

function refusal({ status, headers, body, correlationId }: HttpAnswer): HttpRefusal {
  const answer = parseObject(body);
  const nested = typeof answer.error === 'object' && answer.error !== null ? answer.error : {};
  const fields = { ...nested, ...answer } as Record<string, unknown>;
  const message = [fields.message, fields.error].find((text) => typeof text === 'string') ?? `HTTP ${status}`;
  const retryAfter = Number(headers['retry-after']);
  return new HttpRefusal(
    status,
    typeof fields.code === 'string' ? fields.code : undefined,
    message,
    correlationId,
    Number.isFinite(retryAfter) && headers['retry-after'] !== undefined ? retryAfter * 1000 : undefined,
  );
}

function parseObject(body: Buffer): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
