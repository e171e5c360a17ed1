import { isDocument } from '../bson/types';
import { MongoError } from '../errors';
import { fieldOf, isArrayIndex } from '../query/path';

export interface IndexKeys {
  /** One tuple of values an index entry; `undefined` never appears for missing fields (they are null). */
  tuples: unknown[][];
  /** Whether no key field exists at all: a sparse index leaves such a document out. */
  allMissing: boolean;
  /** Which fields crossed an array. */
  multikey: boolean[];
}

/** A field's way so far: a value with parts of the path still to go. A `leaf` is final, even if it is a nested array. */
interface Cursor {
  value: unknown;
  rest: readonly string[];
  missing: boolean;
  leaf: boolean;
}

const MISSING: Cursor = { value: null, rest: [], missing: true, leaf: true };
const leaf = (value: unknown): Cursor => ({ value, rest: [], missing: false, leaf: true });

/** The index entries of a document: one for each element of the one array its key paths may cross. */
export function extractKeys(document: unknown, paths: readonly (readonly string[])[]): IndexKeys {
  const multikey = paths.map(() => false);
  const tuples: unknown[][] = [];
  let allMissing = true;
  expand(paths.map((rest) => descend({ value: document, rest, missing: false, leaf: false })));
  return { tuples, allMissing, multikey };

  function expand(cursors: readonly Cursor[]): void {
    const array = cursors.find(isOpenArray)?.value as unknown[] | undefined;
    if (!array) {
      if (cursors.some((cursor) => !cursor.missing)) allMissing = false;
      tuples.push(cursors.map(({ value }) => value));
      return;
    }
    cursors.forEach((cursor, i) => {
      if (cursor.value === array) multikey[i] = true;
      else if (isOpenArray(cursor)) throw new MongoError(171, 'cannot index parallel arrays');
    });
    // An empty array is indexed as undefined: before null, and apart from it.
    const elements = array.length === 0 ? [undefined] : array;
    for (const element of elements) {
      expand(cursors.map((cursor) => (cursor.value === array && !cursor.leaf ? step(cursor, element) : cursor)));
    }
  }
}

const isOpenArray = ({ value, leaf: final }: Cursor): boolean => !final && Array.isArray(value);

function step(cursor: Cursor, element: unknown): Cursor {
  if (cursor.rest.length === 0 || element === undefined) return leaf(element);
  return isDocument(element) ? descend({ ...cursor, value: element }) : MISSING;
}

function descend(cursor: Cursor): Cursor {
  let { value, rest } = cursor;
  while (rest.length > 0) {
    const part = rest[0] as string;
    if (Array.isArray(value) && isArrayIndex(part)) value = (value as unknown[])[Number(part)];
    else if (Array.isArray(value)) break;
    else value = isDocument(value) ? fieldOf(value, part) : undefined;
    if (value === undefined) return MISSING;
    rest = rest.slice(1);
  }
  return { value, rest, missing: false, leaf: !Array.isArray(value) };
}
