import { type Document, isDocument, isNumeric, toNumber } from '../bson/types';
import { badValue, MongoError, notSupported } from '../errors';
import { define, evaluate, promote } from './expressions';
import { compileElementTest } from './matcher';
import { type MatchState } from './condition';

/** What happens to one field: kept, dropped, replaced, or looked into. */
type Node = Map<string, Node | 'keep' | 'drop' | Computed>;
type Computed = (value: unknown, document: Document, state: MatchState) => unknown;

export type Projection = (document: Document, state: MatchState) => Document;

interface Shape {
  tree: Node;
  inclusive: boolean;
  keepId: boolean;
  /** Expressions, appended after the included fields. */
  computed: { path: string[]; expression: unknown }[];
}

/** Compiles a find projection; works on typed documents, so nothing changes its stored type. */
export function compileProjection(projection: Document, variables: Document = {}): Projection | undefined {
  if (Object.keys(projection).length === 0) return undefined;
  const shape = analyse(projection);
  return (document, state) => {
    const result = applyNode(shape.tree, document, document, state, shape.inclusive) as Document;
    if (shape.computed.length > 0) {
      const plain = promote(document) as Document;
      for (const { path, expression } of shape.computed) setPath(result, path, evaluate(expression, plain, variables));
    }
    if (!shape.keepId || !Object.hasOwn(document, '_id') || Object.hasOwn(result, '_id')) return result;
    return { _id: document._id, ...result };
  };
}

function analyse(projection: Document): Shape {
  const fields = flatten(projection);
  const tree: Node = new Map();
  const computed: Shape['computed'] = [];
  let mode: 'include' | 'exclude' | undefined;
  let keepId = true;
  const decide = (wanted: 'include' | 'exclude', path: string): void => {
    if (mode && mode !== wanted) {
      throw new MongoError(
        wanted === 'exclude' ? 31254 : 31253,
        `Cannot do ${wanted === 'exclude' ? 'exclusion' : 'inclusion'} on field ${path} in ${mode === 'include' ? 'inclusion' : 'exclusion'} projection`,
      );
    }
    mode = wanted;
  };
  for (const [path, value] of fields) {
    const parts = path.split('.');
    if (path === '' || parts.includes(''))
      throw new MongoError(40353, "FieldPath must not end with a '.' or be empty.");
    if (parts.at(-1) === '$') {
      decide('include', path);
      put(tree, parts.slice(0, -1), positional);
    } else if (isNumeric(value) || typeof value === 'boolean') {
      const keep = isNumeric(value) ? toNumber(value) !== 0 : value;
      if (path === '_id' && !keep) keepId = false;
      else if (path !== '_id') decide(keep ? 'include' : 'exclude', path);
      put(tree, parts, keep ? 'keep' : 'drop');
    } else {
      const operator = isDocument(value) ? projectionOperator(value) : undefined;
      if (operator?.includes) decide('include', path);
      if (operator) put(tree, parts, operator.compute);
      else {
        decide('include', path);
        assertNoCollision(tree, parts);
        computed.push({ path: parts, expression: value });
      }
    }
  }
  return {
    tree,
    inclusive: mode === 'include' || (mode === undefined && keepId && tree.get('_id') === 'keep'),
    keepId,
    computed,
  };
}

/** `{a: {b: 1}}` means `{'a.b': 1}`. */
function flatten(projection: Document, prefix = ''): [string, unknown][] {
  return Object.entries(projection).flatMap(([name, value]): [string, unknown][] => {
    if (name.startsWith('$') && prefix === '')
      throw new MongoError(
        16410,
        `FieldPath field names may not start with '$'. Consider using $getField or $setField.`,
      );
    if (isDocument(value) && Object.keys(value).length === 0)
      throw new MongoError(51270, 'An empty sub-projection is not a valid value. Found empty object at path');
    const nested = isDocument(value) && !Object.keys(value)[0]?.startsWith('$');
    return nested ? flatten(value, `${prefix}${name}.`) : [[`${prefix}${name}`, value]];
  });
}

function put(tree: Node, parts: readonly string[], leaf: 'keep' | 'drop' | Computed): void {
  assertNoCollision(tree, parts);
  let node = tree;
  for (const part of parts.slice(0, -1)) {
    const child = node.get(part) ?? new Map();
    node.set(part, child);
    node = child as Node;
  }
  node.set(parts.at(-1) as string, leaf);
}

function assertNoCollision(tree: Node, parts: readonly string[]): void {
  let node: Node | undefined = tree;
  for (const [i, part] of parts.entries()) {
    const child: Node | 'keep' | 'drop' | Computed | undefined = node.get(part);
    if (child === undefined) return;
    if (!(child instanceof Map) || i === parts.length - 1) {
      throw new MongoError(i === parts.length - 1 ? 31250 : 31249, `Path collision at ${parts.join('.')}`);
    }
    node = child;
  }
}

function projectionOperator(value: Document): { compute: Computed; includes: boolean } | undefined {
  const [operator] = Object.keys(value);
  const operand = value[operator as string];
  if (operator === '$meta') throw notSupported('$meta');
  if (operator === '$elemMatch') {
    if (!isDocument(operand)) throw badValue('elemMatch: Invalid argument, object required');
    const test = compileElementTest(operand);
    return { includes: true, compute: (field) => firstOf(Array.isArray(field) ? field.find(test) : undefined) };
  }
  const numbers = Array.isArray(operand) ? operand : [operand];
  if (operator === '$slice' && numbers.every(isNumeric)) {
    const [skip, count] = numbers.map(toNumber);
    return {
      includes: false,
      compute: (field) => (Array.isArray(field) ? slice(field, skip as number, count) : field),
    };
  }
  return undefined;
}

const firstOf = (element: unknown): unknown => (element === undefined ? undefined : [element]);

function slice(array: readonly unknown[], first: number, count: number | undefined): unknown[] {
  if (count === undefined) return first < 0 ? array.slice(first) : array.slice(0, first);
  if (count <= 0) throw new MongoError(28724, `First argument to $slice must be an array, but the limit is ${count}`);
  const start = first < 0 ? Math.max(0, array.length + first) : first;
  return array.slice(start, start + count);
}

const positional: Computed = (field, _document, state) => {
  if (!Array.isArray(field)) return field;
  if (state.element < 0 || state.element >= field.length) {
    throw new MongoError(
      51246,
      "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching element in the array",
    );
  }
  return [field[state.element] as unknown];
};

function applyNode(node: Node, value: unknown, document: Document, state: MatchState, inclusive: boolean): unknown {
  if (Array.isArray(value)) {
    return value
      .filter((item) => !inclusive || isDocument(item) || Array.isArray(item))
      .map((item) => applyNode(node, item, document, state, inclusive));
  }
  if (!isDocument(value)) return value;
  const result: Document = {};
  for (const [name, field] of Object.entries(value)) {
    const action = node.get(name);
    if (action === undefined ? inclusive : action === 'drop') continue;
    if (action instanceof Map) {
      if (inclusive && !isDocument(field) && !Array.isArray(field)) continue;
      define(result, name, applyNode(action, field, document, state, inclusive));
    } else if (typeof action === 'function') {
      const computed = action(field, document, state);
      if (computed !== undefined) define(result, name, computed);
    } else {
      define(result, name, field);
    }
  }
  return result;
}

function setPath(target: Document, path: readonly string[], value: unknown): void {
  if (value === undefined) return;
  let at = target;
  for (const part of path.slice(0, -1)) {
    const next = at[part];
    if (!isDocument(next)) define(at, part, {});
    at = at[part] as Document;
  }
  define(at, path.at(-1) as string, value);
}
