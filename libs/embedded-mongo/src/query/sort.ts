import { compareValues } from '../bson/compare';
import { type Document, isDocument, isNumeric, toNumber } from '../bson/types';
import { badValue, failedToParse } from '../errors';
import { visitPath } from './path';

interface SortField {
  path: string;
  parts: readonly string[];
  direction: 1 | -1;
}

export type SortSpec = readonly SortField[];

/** Checks and compiles `{a: 1, b: -1}`. */
export function parseSort(sort: Document | undefined): SortSpec {
  return Object.entries(sort ?? {}).map(([path, order]) => {
    if (isDocument(order)) throw badValue('$meta sort is not supported by this server');
    const direction = isNumeric(order) ? toNumber(order) : NaN;
    if (Number.isNaN(direction)) throw failedToParse(`Illegal key in $sort specification: ${path}: ${String(order)}`);
    if (direction !== 1 && direction !== -1)
      throw badValue('$sort key ordering must be 1 (for ascending) or -1 (for descending)');
    if (path === '') throw badValue('FieldPath cannot be constructed with empty string');
    return { path, parts: path.split('.'), direction };
  });
}

/** What a document sorts by: the least value of an array ascending, the greatest descending; an empty array before null, missing as null. */
export function sortKey(document: unknown, sort: SortSpec): unknown[] {
  return sort.map(({ parts, direction }) => {
    let best: unknown;
    let found = false;
    const consider = (value: unknown): void => {
      if (!found || compareValues(value, best) * direction < 0) best = value;
      found = true;
    };
    visitPath(document, parts, (value) => {
      if (!Array.isArray(value)) consider(value ?? null);
      else if (value.length === 0) consider(undefined);
      else value.forEach((item) => consider(item ?? null));
      return false;
    });
    return found ? best : null;
  });
}

export function compareSortKeys(a: readonly unknown[], b: readonly unknown[], sort: SortSpec): number {
  for (let i = 0; i < sort.length; i++) {
    const order = compareValues(a[i], b[i]);
    if (order !== 0) return order * (sort[i] as SortField).direction;
  }
  return 0;
}

/** Compares whole documents; for small in-memory lists such as `$push` with `$sort`. */
export function compareDocuments(a: unknown, b: unknown, sort: SortSpec): number {
  return compareSortKeys(sortKey(a, sort), sortKey(b, sort), sort);
}
