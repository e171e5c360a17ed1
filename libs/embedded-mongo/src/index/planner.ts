import { bracketOf, type Document } from '../bson/types';
import { badValue } from '../errors';
import { type SortSpec } from '../query/sort';
import { type CollectionIndex } from './collection-index';
import { hintKey, sameKey } from './index-spec';
import { implies } from './implication';
import { afterPrefix, encodeField, invert, isLongKey, MAX_KEY_BYTES } from './key-encoding';
import { isNull, orBranches, type Predicate, predicatesOf } from './predicates';

/** A range of an index's keys, without the index's own prefix; no `end` means to its last key. */
interface Bounds {
  start: Buffer;
  end: Buffer | undefined;
}

export interface IndexScan {
  stage: 'IXSCAN';
  index: CollectionIndex;
  bounds: readonly Bounds[];
  reverse: boolean;
  /** The scan's order is the sort asked for. */
  sorted: boolean;
}

export type Plan =
  | IndexScan
  | { stage: 'COLLSCAN'; reverse: boolean; sorted: boolean }
  | { stage: 'OR'; branches: readonly IndexScan[]; sorted: false };

export interface Hint {
  name?: string;
  key?: Document;
}

interface Candidate extends IndexScan {
  score: number;
}

const COLLECTION_SCAN: Plan = { stage: 'COLLSCAN', reverse: false, sorted: false };

/** Picks the index with the longest equality prefix, then a range, then the sort; none of it means a collection scan. */
export function planQuery(
  indexes: readonly CollectionIndex[],
  filter: Document,
  sort: SortSpec = [],
  hint?: Hint,
): Plan {
  const natural = naturalOrder(sort, hint);
  if (natural) return natural;
  const predicates = predicatesOf(filter);
  if (hint) return hinted(indexes, predicates, sort, hint);
  const best = bestScan(indexes, predicates, sort);
  if (best) return best;
  return planOr(indexes, filter, predicates) ?? COLLECTION_SCAN;
}

function naturalOrder(sort: SortSpec, hint: Hint | undefined): Plan | undefined {
  const [first] = sort;
  if (first?.path === '$natural') return { stage: 'COLLSCAN', reverse: first.direction < 0, sorted: true };
  if (hint?.key && '$natural' in hint.key) {
    return { stage: 'COLLSCAN', reverse: Number(hint.key.$natural) < 0, sorted: false };
  }
  return undefined;
}

function hinted(indexes: readonly CollectionIndex[], predicates: Predicate[], sort: SortSpec, hint: Hint): Plan {
  const key = hint.key && hintKey(hint.key);
  const index = indexes.find((one) => (key ? sameKey(one.spec.key, key) : one.name === hint.name));
  if (!index) {
    throw badValue(
      'error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index',
    );
  }
  return scanOf(index, predicates, sort) ?? COLLECTION_SCAN;
}

function bestScan(
  indexes: readonly CollectionIndex[],
  predicates: readonly Predicate[],
  sort: SortSpec,
): Candidate | undefined {
  let best: Candidate | undefined;
  for (const index of indexes) {
    if (!isComplete(index, predicates)) continue;
    const candidate = scanOf(index, predicates, sort);
    if (candidate && candidate.score > 0 && (!best || candidate.score > best.score)) best = candidate;
  }
  return best;
}

function planOr(indexes: readonly CollectionIndex[], filter: Document, outer: readonly Predicate[]): Plan | undefined {
  const branches = orBranches(filter);
  if (!branches) return undefined;
  const scans = branches.map((branch) => bestScan(indexes, [...predicatesOf(branch), ...outer], []));
  return scans.every((scan): scan is Candidate => scan !== undefined)
    ? { stage: 'OR', branches: scans, sorted: false }
    : undefined;
}

/** Whether every document the predicates can match has an entry in the index. */
function isComplete(index: CollectionIndex, predicates: readonly Predicate[]): boolean {
  if (!index.servesQueries) return false;
  const { sparse, partialFilterExpression } = index.spec;
  if (partialFilterExpression && !implies(predicates, partialFilterExpression)) return false;
  return (
    !sparse || index.fields.some((field) => predicates.some((given) => given.path === field && !matchesMissing(given)))
  );
}

const matchesMissing = (predicate: Predicate): boolean => predicate.points?.some(isNull) ?? false;

function scanOf(index: CollectionIndex, predicates: readonly Predicate[], sort: SortSpec): Candidate {
  const { multikey } = index.definition;
  let prefixes: Buffer[] = [Buffer.alloc(0)];
  let equalities = 0;
  let multikeyUsed = false;
  let range: Predicate | undefined;
  for (const [i, field] of index.fields.entries()) {
    // Two fields of one array may match through two elements, which share no entry: only the first can have bounds.
    if (multikey[i] && multikeyUsed) break;
    const given = predicates.filter(({ path }) => path === field);
    const points = given.find((predicate) => predicate.points)?.points;
    multikeyUsed ||= multikey[i] === true;
    if (points && prefixes.length * points.length <= MAX_POINTS) {
      const encoded = distinct(points.map((value) => encodeField(value ?? null, index.directions[i] ?? 1)));
      prefixes = prefixes.flatMap((prefix) => encoded.map((value) => Buffer.concat([prefix, value])));
      equalities++;
      continue;
    }
    range = rangeOf(given, multikey[i] === true);
    break;
  }
  const direction = index.directions[equalities] ?? 1;
  const bounds = prefixes.map((prefix) => (range ? rangeBounds(prefix, range, direction) : prefixBounds(prefix)));
  bounds.sort((a, b) => Buffer.compare(a.start, b.start));
  const order = prefixes.length === 1 ? sortedBy(index, equalities, sort) : undefined;
  const exact = index.unique && equalities === index.fields.length;
  const score = equalities * 10 + (range ? 4 : 0) + (order ? 2 : 0) + (exact ? 100 : 0);
  return { stage: 'IXSCAN', index, bounds, reverse: order === 'backward', sorted: order !== undefined, score };
}

/** More points than this are not multiplied out; the rest of the key is left to the filter. */
const MAX_POINTS = 5000;

function distinct(buffers: readonly Buffer[]): Buffer[] {
  return [...new Map(buffers.map((buffer) => [buffer.toString('latin1'), buffer])).values()];
}

/** The tightest range the predicates allow. On a multikey field two predicates may hold for two elements: one is used. */
function rangeOf(given: readonly Predicate[], multikey: boolean): Predicate | undefined {
  const ranges = given.filter((predicate) => predicate.lower ?? predicate.upper);
  const [first] = ranges;
  if (!first) return undefined;
  if (multikey) return first.sameElement || !first.lower ? first : { path: first.path, lower: first.lower };
  const bracket = bracketOf((first.lower ?? first.upper)?.value);
  const merged: Predicate = { ...first };
  for (const { lower, upper } of ranges) {
    if (!merged.lower && lower && bracketOf(lower.value) === bracket) merged.lower = lower;
    if (!merged.upper && upper && bracketOf(upper.value) === bracket) merged.upper = upper;
  }
  return merged;
}

function prefixBounds(prefix: Buffer): Bounds {
  if (prefix.length === 0) return { start: prefix, end: undefined };
  return { start: lowerBound(prefix), end: upperBound(prefix) };
}

function rangeBounds(prefix: Buffer, { lower, upper }: Predicate, direction: number): Bounds {
  const bracket = bracketOf((lower ?? upper)?.value);
  const edge = (value: unknown): Buffer => Buffer.concat([prefix, encodeField(value, direction)]);
  const typeEdge = Buffer.concat([prefix, direction < 0 ? invert(Buffer.of(bracket)) : Buffer.of(bracket)]);
  // The lower end comes first in an ascending field, last in a descending one.
  const [first, last] = direction < 0 ? [upper, lower] : [lower, upper];
  const firstEdge = first && edge(first.value);
  const lastEdge = last && edge(last.value);
  const start = !firstEdge
    ? typeEdge
    : first.inclusive || isLongKey(firstEdge)
      ? lowerBound(firstEdge)
      : afterPrefix(firstEdge);
  const end = !lastEdge
    ? afterPrefix(typeEdge)
    : last.inclusive || isLongKey(lastEdge)
      ? upperBound(lastEdge)
      : lastEdge;
  return { start, end };
}

/** A shortened key sorts by its first bytes only, so bounds stop there and the filter does the rest. */
const lowerBound = (key: Buffer): Buffer => (isLongKey(key) ? key.subarray(0, MAX_KEY_BYTES) : key);
const upperBound = (key: Buffer): Buffer => afterPrefix(lowerBound(key));

/** Whether the entries within one equality prefix come in the order asked for, and which way round. */
function sortedBy(index: CollectionIndex, equalities: number, sort: SortSpec): 'forward' | 'backward' | undefined {
  if (sort.length === 0 || index.definition.longKeys) return undefined;
  const fixed = new Set(index.fields.slice(0, equalities));
  const wanted = sort.filter(({ path }) => !fixed.has(path) || index.definition.multikey[index.fields.indexOf(path)]);
  let turn: number | undefined;
  for (const [i, { path, direction }] of wanted.entries()) {
    const at = equalities + i;
    if (index.fields[at] !== path || index.definition.multikey[at]) return undefined;
    turn ??= direction * (index.directions[at] ?? 1);
    if (turn !== direction * (index.directions[at] ?? 1)) return undefined;
  }
  // A multikey index lists a document once for each element.
  if (index.definition.multikey.some(Boolean)) return undefined;
  return turn === -1 ? 'backward' : 'forward';
}
