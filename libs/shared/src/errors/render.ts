import { type FieldIssue, type ReinsError } from './reins-error';

/** Which contract a route promises its callers: each reference system has its own error shape. */
export type RouteFamily = 'vwm' | 'aiwm' | 'vm-system';

export interface ErrorContext {
  path: string;
  correlationId: string;
  /** RFC 3339. */
  timestamp: string;
}

/** The body of an error answer in the shape of its route family; every shape carries `code` and `correlationId` too. */
export function renderError(family: RouteFamily, error: ReinsError, context: ErrorContext): Record<string, unknown> {
  return RENDERERS[family](error, context);
}

const common = (error: ReinsError, context: ErrorContext): Record<string, unknown> => ({
  code: error.code,
  correlationId: context.correlationId,
  ...(error.spec.retryable ? { retryable: true } : {}),
  ...(error.spec.hint === undefined ? {} : { hint: error.spec.hint }),
});

const RENDERERS: Record<RouteFamily, (error: ReinsError, context: ErrorContext) => Record<string, unknown>> = {
  vwm: (error, context) => ({
    error: error.message,
    ...(error.details === undefined ? {} : { details: error.details }),
    ...common(error, context),
  }),

  aiwm: (error, context) => ({
    statusCode: error.spec.status,
    // AIWM clients look for these exact words on a failed validation.
    message: error.code === 'validation_failed' ? 'Validation failed' : error.message,
    timestamp: context.timestamp,
    path: context.path,
    ...(isIssues(error.details) ? { errors: error.details.map(sentence) } : {}),
    ...(error.details !== undefined && !isIssues(error.details) ? { details: error.details } : {}),
    ...common(error, context),
  }),

  'vm-system': (error, context) => ({
    error: {
      code: error.code.toUpperCase(),
      message: error.message,
      ...(error.details === undefined ? {} : { details: error.details }),
    },
    ...common(error, context),
  }),
};

function isIssues(details: unknown): details is FieldIssue[] {
  return Array.isArray(details);
}

function sentence(issue: FieldIssue): string {
  return issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`;
}
