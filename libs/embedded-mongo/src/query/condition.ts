import { type Document, isDocument } from '../bson/types';

/** Where a match was found: the position in the outermost array crossed, for the positional `$`. */
export interface MatchState {
  element: number;
}

/** A test of one value. `arrays` says what it sees of an array: its elements, itself, or both in turn. */
export interface ValueTest {
  value: (value: unknown, state: MatchState) => boolean;
  arrays: 'elements' | 'whole' | 'elements and whole';
  negated?: boolean;
}

/** Compiles the operand of `$elemMatch`: operators on the element, or a filter on the document it is. */
export type ElementCompiler = (operand: Document) => (value: unknown) => boolean;

/** Whether a condition is operators (`{$gt: 1}`) rather than a document to equal. */
export function isOperatorDocument(condition: unknown): condition is Document {
  if (!isDocument(condition)) return false;
  const [first] = Object.keys(condition);
  return first !== undefined && first.startsWith('$') && !['$ref', '$id', '$db'].includes(first);
}
