import { type ErrorCode, ERRORS, ReinsError, renderError, type RouteFamily } from '@reins/shared/errors';
import { code, json, page, table } from './markdown';

const EXAMPLE = {
  path: '/sessions',
  correlationId: '0b9f6c1e-5d53-4b0c-9a52-6f1f0f6a1f4e',
  timestamp: '2026-01-31T09:30:00.000Z',
};
const INVALID = new ReinsError('validation_failed', {
  details: [{ path: 'repository.url', message: 'is required', code: 'invalid_type' }],
});

/** What helps where the table has no hint of its own. */
const BY_STATUS: Readonly<Record<number, string>> = {
  400: 'correct the request',
  401: 'check the credentials',
  403: 'use a token or a key whose role allows it',
  404: 'check the id; what belongs to another organisation is not found either',
  405: 'see the API for what this path takes',
  409: 'look at the present state first',
  415: 'send Content-Type: application/json',
  422: 'see details.stopReason',
  500: 'report it with its correlationId',
};

/** docs/reference/errors.md, from the error table. */
export function errorsPage(): string {
  const codes = (Object.keys(ERRORS) as ErrorCode[]).map((name) => new ReinsError(name));
  const rows = codes.map(({ code: name, spec }) => [
    code(name),
    String(spec.status),
    spec.message,
    spec.retryable ? 'yes' : '',
    spec.hint ??
      (spec.retryable ? 'wait for Retry-After, or a moment, and send it again' : (BY_STATUS[spec.status] ?? '')),
  ]);
  return page(
    '# Errors',
    'Written from `libs/shared/src/errors/codes.ts` by `npx tsx scripts/docs/main.ts`; edit that table, not this page.',
    [
      'Every error has a `code` that does not change: branch on it, not on the message. The HTTP status follows from the',
      'code. _Retry_ says that the same request may succeed later as it is; all others need a change first. An answer',
      'carries `retryable: true` for those, `hint` where there is something to do, and the header `Retry-After` (seconds)',
      'where it is known when. A 5xx never shows what went wrong inside; its `correlationId` is in the log beside it.',
    ].join('\n'),
    table(['Code', 'Status', 'Meaning', 'Retry', 'What to do'], rows),
    '## Three shapes',
    [
      'Which shape an error has depends on the path alone, because clients of three older systems call these routes. Each',
      'also carries `code` and `correlationId`; the latter is in the header `X-Correlation-Id` of every answer as well, and',
      'a caller may choose it by sending that header.',
    ].join('\n'),
    shape('vwm', 'Sessions, `/admin/…` and everything not named below', INVALID, '/sessions'),
    'An error without wrong fields may have an object as its `details`:',
    json(renderError('vwm', turnFailed(), EXAMPLE)),
    shape('aiwm', '`/agents`, `/instructions`, `/tools`, `/nodes`', INVALID, '/agents'),
    shape('vm-system', '`/api/v1/…`', INVALID, '/api/v1/workspaces'),
    '## Elsewhere',
    [
      'On the prompt stream an error is the last event, `{"type":"error","data":{"message","code","requestId"}}`. On the',
      '[harness link](protocol.md#11-errors) it is the ack `{"error":{"code","message","retryAfterMs?"}}`. The codes are the',
      'same everywhere.',
    ].join('\n'),
  );
}

function shape(family: RouteFamily, where: string, error: ReinsError, path: string): string {
  return page(`### ${where}`, json(renderError(family, error, { ...EXAMPLE, path }))).trimEnd();
}

function turnFailed(): ReinsError {
  const details = { requestId: 'req-01jk…', stopReason: 'process_exited', stderr: 'Segmentation fault' };
  return new ReinsError('turn_failed', { message: 'The agent failed: it exited with code 139', details });
}
