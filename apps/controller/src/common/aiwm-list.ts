import { MAX_PAGE } from '@reins/shared/api/common';
import { type FieldIssue, ReinsError } from '@reins/shared/errors';
import { z } from 'zod';

/** A filter of which every field was named by the noun's own rules. */
export interface AiwmFilter<E extends object = object> {
  /** Equal to the value. */
  equals: E;
  /** Contained in the text, whatever the case. */
  contains: Record<string, string>;
}

export interface AiwmListQuery<E extends object = object> {
  page: number;
  limit: number;
  filter: AiwmFilter<E>;
  sort: Record<string, 1 | -1>;
}

/** What a list may be asked for. Nothing else passes. */
export interface AiwmListRules<E extends z.ZodObject> {
  equals: E;
  contains: readonly string[];
  sort: readonly string[];
  /** `filter[x]=` counts as not given instead of being refused. */
  emptyIsAbsent?: boolean;
}

/** One value of a filter, for fields that have no list of values. */
export const filterText = z
  .string()
  .min(1)
  .max(100)
  .refine((value) => !/\p{Cc}/u.test(value), 'must not contain control characters');

/** `true` or `false` in a filter. */
export const filterFlag = z.enum(['true', 'false']).transform((value) => value === 'true');

const direction = z.enum(['1', '-1', 'asc', 'desc']).transform((value) => (value === '1' || value === 'asc' ? 1 : -1));
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
export function parseAiwmList<E extends z.ZodObject>(
  url: string,
  rules: AiwmListRules<E>,
): AiwmListQuery<Partial<z.infer<E>>> {
  const { given, issues } = read(url);
  if (rules.emptyIsAbsent === true) {
    const known = [...rules.contains, ...Object.keys(rules.equals.shape)];
    for (const field of known) if (given.filter.get(field) === '') given.filter.delete(field);
  }
  const fields = [...given.filter];
  const contained = (field: string): boolean => rules.contains.includes(field);
  const contains = z
    .record(z.string(), filterText)
    .safeParse(Object.fromEntries(fields.filter(([field]) => contained(field))));
  const equals = rules.equals
    .partial()
    .strict()
    .safeParse(Object.fromEntries(fields.filter(([field]) => !contained(field))));
  const sort = z.partialRecord(z.enum(rules.sort), direction).safeParse(Object.fromEntries(given.sort));
  const page = PAGE.safeParse(Object.fromEntries(given.page));
  if (issues.length === 0 && contains.success && equals.success && sort.success && page.success) {
    const filter = { contains: contains.data, equals: equals.data as Partial<z.infer<E>> };
    // The id breaks ties: pages must not overlap where the sorted field is equal.
    return { ...page.data, filter, sort: { ...(sort.data as Record<string, 1 | -1>), _id: -1 } };
  }
  issues.push(
    ...issuesOf('filter', contains),
    ...issuesOf('filter', equals),
    ...issuesOf('sort', sort),
    ...issuesOf('', page),
  );
  throw new ReinsError('validation_failed', { details: issues });
}

interface Given {
  filter: Map<string, string>;
  sort: Map<string, string>;
  page: Map<string, string>;
}

function read(url: string): { given: Given; issues: FieldIssue[] } {
  const given: Given = { filter: new Map(), sort: new Map(), page: new Map() };
  const issues: FieldIssue[] = [];
  for (const [key, value] of new URL(url, 'http://localhost').searchParams) {
    const [, group, field] = BRACKETED.exec(key) ?? [];
    const target = group === 'filter' ? given.filter : group === 'sort' ? given.sort : undefined;
    if (target !== undefined && field !== undefined) {
      if (target.has(field)) issues.push(issue(key, 'must be given once'));
      else if (field === '__proto__') issues.push(issue(key, 'is not a field of this list'));
      target.set(field, value);
    } else if (/^(filter|sort)/.test(key)) {
      issues.push(issue(key, 'must have the form filter[field]=value or sort[field]=1'));
    } else if (key === 'page' || key === 'limit') {
      given.page.set(key, value);
    }
  }
  return { given, issues };
}

function issuesOf(group: string, result: z.ZodSafeParseResult<unknown>): FieldIssue[] {
  return (result.error?.issues ?? []).map((found) => {
    const { path, message, code } = found;
    const named = found.code === 'unrecognized_keys' ? found.keys : path.map(String);
    const field = named.join('.');
    return { path: group === '' ? field : `${group}[${field}]`, message, code };
  });
}

function issue(path: string, message: string): FieldIssue {
  return { path, message, code: 'invalid_query' };
}
