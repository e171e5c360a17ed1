import { decode, decodeTyped } from '../bson/raw';
import { type Document, isDocument } from '../bson/types';
import { type Hint, type Plan, planQuery } from '../index/planner';
import { type Collection, type StoredDocument } from '../storage/collection';
import { compileFilter, type Test } from './matcher';
import { type MatchState } from './condition';
import { compareSortKeys, sortKey, type SortSpec } from './sort';

/** What a query asks of one collection, compiled. */
export interface QuerySpec {
  filter: Document;
  sort: SortSpec;
  skip: number;
  /** 0 means no limit. */
  limit: number;
  hint?: Hint | undefined;
  variables?: Document;
}

export interface Match extends StoredDocument {
  state: MatchState;
}

/** What a scan has done so far, for `explain`. */
export interface ScanStatistics {
  keysExamined: number;
  docsExamined: number;
}

/** A scan hands this out now and then instead of a match, so that its consumer can let other work pass. */
export const PAUSE = undefined;
const EXAMINED_PER_PAUSE = 200;

/** A compiled query. Filters that ask for stored number types see typed documents, all others promoted ones. */
export class Query {
  readonly matches: Test;
  readonly plan: Plan;
  readonly statistics: ScanStatistics = { keysExamined: 0, docsExamined: 0 };
  /** Whether the documents of its matches keep their stored number types. */
  readonly typed: boolean;
  private readonly decode: (raw: Uint8Array) => Document;

  constructor(
    private readonly collection: Collection,
    private readonly spec: QuerySpec,
  ) {
    this.matches = compileFilter(spec.filter, spec.variables);
    this.typed = asksForTypes(spec.filter);
    this.decode = this.typed ? decodeTyped : decode;
    this.plan = planQuery(collection.indexes, spec.filter, spec.sort, spec.hint);
  }

  /** Matches in the order asked for, after skip and limit, with pauses between. */
  *run(): Generator<Match | typeof PAUSE> {
    const { sort, skip, limit } = this.spec;
    const source =
      sort.length === 0 || this.plan.sorted ? this.candidates() : this.sorted(limit > 0 ? skip + limit : 0);
    let position = 0;
    for (const match of source) {
      if (match === PAUSE) yield PAUSE;
      else if (++position > skip) yield match;
      if (limit > 0 && position >= skip + limit) return;
    }
  }

  /** The first match, without pauses: for use inside a write transaction. */
  first(): Match | undefined {
    for (const match of this.run()) if (match !== PAUSE) return match;
    return undefined;
  }

  /** Reads a record again and tests it again: it may have changed since the scan. */
  reread(recordId: number): Match | undefined {
    const raw = this.collection.read(recordId);
    return raw && this.test(recordId, raw);
  }

  private test(recordId: number, raw: Buffer): Match | undefined {
    const document = this.decode(raw);
    const state: MatchState = { element: -1 };
    return this.matches(document, state) ? { recordId, raw, document, state } : undefined;
  }

  private *candidates(): Generator<Match | typeof PAUSE> {
    let sincePause = 0;
    for (const { recordId, raw } of this.records()) {
      if (++sincePause % EXAMINED_PER_PAUSE === 0) yield PAUSE;
      if (!raw) continue;
      this.statistics.docsExamined++;
      const match = this.test(recordId, raw);
      if (match) yield match;
    }
  }

  private *records(): Generator<{ recordId: number; raw: Buffer | undefined }> {
    const { plan, collection } = this;
    if (plan.stage === 'COLLSCAN') {
      yield* collection.scan(plan.reverse);
      return;
    }
    const scans = plan.stage === 'OR' ? plan.branches : [plan];
    // One document may have several entries in a multikey index, or match several branches.
    const repeats = plan.stage === 'OR' || plan.index.definition.multikey.some(Boolean) || plan.bounds.length > 1;
    const seen = new Set<number>();
    for (const { index, bounds, reverse } of scans) {
      for (const { start, end } of reverse ? [...bounds].reverse() : bounds) {
        for (const recordId of collection.scanIndex(index, start, end, reverse)) {
          this.statistics.keysExamined++;
          if (repeats && seen.has(recordId)) continue;
          if (repeats) seen.add(recordId);
          yield { recordId, raw: collection.read(recordId) };
        }
      }
    }
  }

  /** Sorts in memory; with a limit it never holds much more than the documents it will return. */
  private *sorted(keep: number): Generator<Match | typeof PAUSE> {
    const { sort } = this.spec;
    let found: { match: Match; key: unknown[] }[] = [];
    const arrange = (): void => {
      found.sort((a, b) => compareSortKeys(a.key, b.key, sort));
      if (keep > 0) found = found.slice(0, keep);
    };
    for (const match of this.candidates()) {
      if (match === PAUSE) {
        yield PAUSE;
        continue;
      }
      found.push({ match, key: sortKey(match.document, sort) });
      if (keep > 0 && found.length >= keep * 2 + 1000) arrange();
    }
    arrange();
    for (const { match } of found) yield match;
  }
}

/** `$type` alone can tell an int from a double; matching anything else works on plain numbers, which decode faster. */
function asksForTypes(filter: unknown): boolean {
  if (Array.isArray(filter)) return filter.some(asksForTypes);
  if (!isDocument(filter)) return false;
  return Object.entries(filter).some(([name, value]) => name === '$type' || asksForTypes(value));
}
