import { equalValues } from '../bson/compare';
import { type Document, isDocument } from '../bson/types';
import { badValue, MongoError, notSupported } from '../errors';
import { evaluateFilter } from './expressions';
import { isOperatorDocument, type MatchState, type ValueTest } from './condition';
import { compileOperators } from './operators';
import { isRegex, toRegExp } from './regex';
import { visitPath } from './path';

export type Test = (document: unknown, state: MatchState) => boolean;

/** Compiles a filter once; the test takes decoded documents, promoted or typed. Throws the errors MongoDB has for a bad filter. */
export function compileFilter(filter: Document, variables: Document = {}): Test {
  const tests = Object.entries(filter).map(([name, condition]) =>
    name.startsWith('$') ? compileTopLevel(name, condition, variables) : compileField(name, condition),
  );
  const [only] = tests;
  if (tests.length === 1 && only) return only;
  return (document, state) => tests.every((test) => test(document, state));
}

function compileTopLevel(name: string, condition: unknown, variables: Document): Test {
  switch (name) {
    case '$and':
    case '$or':
    case '$nor': {
      const tests = branches(name, condition).map((branch) => compileFilter(branch, variables));
      if (name === '$and') return (document, state) => tests.every((test) => test(document, state));
      if (name === '$or') return (document, state) => tests.some((test) => test(document, state));
      return (document) => !tests.some((test) => test(document, { element: -1 }));
    }
    case '$expr':
      return evaluateFilter(condition, variables);
    case '$comment':
      return () => true;
    case '$alwaysTrue':
      return () => true;
    case '$alwaysFalse':
      return () => false;
    case '$where':
    case '$jsonSchema':
      throw notSupported(name);
    case '$text':
      throw new MongoError(27, 'text index required for $text query');
    default:
      throw badValue(
        `unknown top level operator: ${name}. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.`,
      );
  }
}

function branches(name: string, condition: unknown): Document[] {
  if (!Array.isArray(condition)) throw badValue(`${name} argument must be an array`);
  if (condition.length === 0) throw badValue('$and/$or/$nor must be a nonempty array');
  for (const branch of condition)
    if (!isDocument(branch)) throw badValue('$or/$and/$nor entries need to be full objects');
  return condition as Document[];
}

function compileField(path: string, condition: unknown): Test {
  const parts = path.split('.');
  if (isOperatorDocument(condition)) {
    const tests = compileOperators(condition, compileElementTest).map((test) => onPath(parts, test));
    return (document, state) => tests.every((test) => test(document, state));
  }
  if (isRegex(condition)) {
    const regex = toRegExp(condition);
    return onPath(parts, {
      value: (value) =>
        (typeof value === 'string' && regex.test(value)) || (isRegex(value) && equalValues(value, condition)),
      arrays: 'elements and whole',
    });
  }
  return onPath(parts, compileOperators({ $eq: condition }, compileElementTest)[0] as ValueTest);
}

/** A value's test, applied to everything a path leads to. */
function onPath(parts: readonly string[], test: ValueTest): Test {
  const { value: matches, arrays, negated = false } = test;
  const found = (document: unknown, state: MatchState): boolean =>
    visitPath(document, parts, (value, element) => {
      if (Array.isArray(value) && arrays !== 'whole') {
        for (let i = 0; i < value.length; i++) {
          if (!matches(value[i], NO_POSITION)) continue;
          state.element = element < 0 ? i : element;
          return true;
        }
        if (arrays === 'elements') return false;
      }
      const inner: MatchState = { element: -1 };
      if (!matches(value, inner)) return false;
      const position = element < 0 ? inner.element : element;
      if (position >= 0) state.element = position;
      return true;
    });
  return negated ? (document) => !found(document, { element: -1 }) : found;
}

const NO_POSITION: MatchState = { element: -1 };

/** Tests one array element against the operand of `$elemMatch` or `$pull`: operators on the value, or a filter on the document. */
export function compileElementTest(operand: Document): (value: unknown) => boolean {
  const [first] = Object.keys(operand);
  if (isOperatorDocument(operand) && !['$and', '$or', '$nor', '$expr'].includes(first ?? '')) {
    const tests = compileOperators(operand, compileElementTest).map((test) => onPath([], test));
    return (value) => tests.every((test) => test(value, { element: -1 }));
  }
  const test = compileFilter(operand);
  return (value) => (isDocument(value) || Array.isArray(value)) && test(value, { element: -1 });
}
