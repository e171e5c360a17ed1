import { isDocument } from '../bson/types';

const INDEX = /^(0|[1-9][0-9]*)$/;
export const isArrayIndex = (part: string): boolean => INDEX.test(part);

/** The value of one field, `undefined` when missing. Own properties only: `constructor` is no field. */
export function fieldOf(document: unknown, name: string): unknown {
  return Object.hasOwn(document as object, name) ? (document as Record<string, unknown>)[name] : undefined;
}

/**
 * Calls `visit` with every value a dotted path leads to, descending into the documents of arrays on the way as a query
 * does; `undefined` stands for a missing field. Stops when `visit` answers true and tells so. `element` is the position
 * in the outermost array that was crossed, -1 when none was.
 */
export function visitPath(
  document: unknown,
  parts: readonly string[],
  visit: (value: unknown, element: number) => boolean,
  from = 0,
  element = -1,
): boolean {
  let value = document;
  for (let i = from; i < parts.length; i++) {
    const part = parts[i] as string;
    if (Array.isArray(value)) return visitArray(value, parts, visit, i, element);
    value = isDocument(value) ? fieldOf(value, part) : undefined;
    if (value === undefined) return visit(undefined, element);
  }
  return visit(value, element);
}

function visitArray(
  array: readonly unknown[],
  parts: readonly string[],
  visit: (value: unknown, element: number) => boolean,
  at: number,
  element: number,
): boolean {
  const part = parts[at] as string;
  const position = isArrayIndex(part) ? Number(part) : -1;
  for (let i = 0; i < array.length; i++) {
    const outermost = element < 0 ? i : element;
    if (isDocument(array[i]) && visitPath(array[i], parts, visit, at, outermost)) return true;
    if (i === position && visitPath(array[i], parts, visit, at + 1, element)) return true;
  }
  return false;
}
