import { type ErrorCode, ERRORS, type ErrorSpec } from './codes';

/** One wrong field of a request. `path` uses dots and indices, e.g. `repository.url`. */
export interface FieldIssue {
  path: string;
  message: string;
  code: string;
}

export interface ReinsErrorOptions {
  /** Replaces the table's message. Shown to the caller, so never a driver text or a secret. */
  message?: string;
  /** For validation: the fields. Otherwise an object a client may read. */
  details?: FieldIssue[] | Record<string, unknown>;
  retryAfterMs?: number;
  /** For the log only. */
  cause?: unknown;
}

/** The only error that reaches a caller with its own words; anything else is answered as `internal`. */
export class ReinsError extends Error {
  override readonly name = 'ReinsError';
  readonly details: FieldIssue[] | Record<string, unknown> | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly code: ErrorCode,
    options: ReinsErrorOptions = {},
  ) {
    super(options.message ?? ERRORS[code].message, options.cause === undefined ? undefined : { cause: options.cause });
    this.details = options.details;
    this.retryAfterMs = options.retryAfterMs;
  }

  get spec(): ErrorSpec {
    return ERRORS[this.code];
  }
}
