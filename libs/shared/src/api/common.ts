import { z } from 'zod';

/** Header names of the public API. */
export const HEADERS = {
  correlationId: 'x-correlation-id',
  requestId: 'x-request-id',
  idempotencyKey: 'idempotency-key',
  totalCount: 'x-total-count',
  lastEventId: 'last-event-id',
  organizationId: 'x-organization-id',
} as const;

/** Largest page of any list. */
export const MAX_PAGE = 100;

/** `?limit&offset` of the VWM lists, which answer bare arrays with X-Total-Count. */
export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
});
export type PageQuery = z.infer<typeof PageQuery>;

/** Names of definitions: printable, without control characters. */
export const Name = z
  .string()
  .min(1, 'must not be empty')
  .max(100, 'must have at most 100 characters')
  .refine((name) => !/[\p{Cc}\u2028\u2029]/u.test(name), 'must not contain control characters or line breaks');

/** A name that a file, a branch or a header can carry as it is. */
export const Slug = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 of letters, digits, . _ -');

/** A git branch that cannot be taken for an option or leave its namespace. */
export const BranchName = z
  .string()
  .min(1)
  .max(200)
  .regex(/^(?![-/.])(?!.*(\.\.|\/\/|@\{|\.lock(\/|$)))[A-Za-z0-9._/-]+(?<![/.])$/, 'is not a valid branch name');
