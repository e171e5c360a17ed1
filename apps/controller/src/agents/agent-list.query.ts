import { AGENT_ROLES, AGENT_STATUSES, AGENT_TYPES } from '@reins/shared/api/agents';
import { MAX_PAGE } from '@reins/shared/api/common';
import { type FieldIssue, ReinsError } from '@reins/shared/errors';
import { z } from 'zod';
import { type AgentFilter } from './agents.repository';

export interface AgentListQuery {
  page: number;
  limit: number;
  filter: AgentFilter;
  sort: Record<string, 1 | -1>;
}

const text = z
  .string()
  .min(1)
  .max(100)
  .refine((value) => !/\p{Cc}/u.test(value), 'must not contain control characters');

const EQUALS = z.strictObject({
  status: z.enum(AGENT_STATUSES).optional(),
  type: z.enum(AGENT_TYPES).optional(),
  role: z.enum(AGENT_ROLES).optional(),
  instructionId: text.optional(),
  guardrailId: text.optional(),
  nodeId: text.optional(),
  tags: text.optional(),
});
const CONTAINS = z.strictObject({ name: text.optional(), description: text.optional() });

const direction = z.enum(['1', '-1', 'asc', 'desc']).transform((value) => (value === '1' || value === 'asc' ? 1 : -1));
const SORT = z.partialRecord(
  z.enum(['createdAt', 'updatedAt', 'name', 'status', 'type', 'lastConnectedAt', 'lastHeartbeatAt']),
  direction,
);
const PAGE = z.object({
  page: z.coerce.number().int().min(1).max(1_000_000).default(1),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(10),
});

const BRACKETED = /^(filter|sort)\[([^[\]]*)\]$/;

/**
 * AIWM's `?page&limit&filter[field]=v&sort[field]=-1`. Only named fields with plain values pass: an unknown field, an
 * operator or a field given twice is 400, so that no filter can widen the organisation's scope or probe hidden fields.
 * Other parameters are ignored, as AIWM does.
 */
export function parseAgentList(url: string): AgentListQuery {
  const given = { filter: new Map<string, string>(), sort: new Map<string, string>(), page: new Map<string, string>() };
  const issues: FieldIssue[] = [];
  for (const [key, value] of new URL(url, 'http://localhost').searchParams) {
    const [, group, field] = BRACKETED.exec(key) ?? [];
    const target = group === 'filter' ? given.filter : group === 'sort' ? given.sort : undefined;
    if (target !== undefined && field !== undefined) {
      if (target.has(field)) issues.push(issue(key, 'must be given once'));
      target.set(field, value);
    } else if (/^(filter|sort)/.test(key)) {
      issues.push(issue(key, 'must have the form filter[field]=value or sort[field]=1'));
    } else if (key === 'page' || key === 'limit') {
      given.page.set(key, value);
    }
  }
  const fields = Object.fromEntries(given.filter);
  const { name, description, ...others } = fields;
  const contains = CONTAINS.safeParse(defined({ name, description }));
  const equals = EQUALS.safeParse(others);
  const sort = SORT.safeParse(Object.fromEntries(given.sort));
  const page = PAGE.safeParse(Object.fromEntries(given.page));
  if (issues.length === 0 && contains.success && equals.success && sort.success && page.success) {
    return { ...page.data, filter: { contains: contains.data, equals: equals.data }, sort: withTieBreak(sort.data) };
  }
  issues.push(
    ...issuesOf('filter', contains),
    ...issuesOf('filter', equals),
    ...issuesOf('sort', sort),
    ...issuesOf('', page),
  );
  throw new ReinsError('validation_failed', { details: issues });
}

/** Pages must not overlap where the sorted field is equal. */
function withTieBreak(sort: Partial<Record<string, 1 | -1>>): Record<string, 1 | -1> {
  return { ...(sort as Record<string, 1 | -1>), _id: -1 };
}

function issuesOf(group: string, result: z.ZodSafeParseResult<unknown>): FieldIssue[] {
  return (result.error?.issues ?? []).map(({ path, message, code }) => {
    const field = path.map(String).join('.');
    return { path: group === '' ? field : `${group}[${field}]`, message, code };
  });
}

function issue(path: string, message: string): FieldIssue {
  return { path, message, code: 'invalid_query' };
}

function defined(fields: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}
