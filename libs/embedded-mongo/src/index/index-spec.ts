import { bracketOf, Bracket, type Document, isDocument, isNumeric, toNumber } from '../bson/types';
import { badValue, failedToParse, MongoError, notSupported, typeMismatch } from '../errors';
import { compileFilter } from '../query/matcher';

/** An index as `listIndexes` shows it. Field order of `key` matters. */
export interface IndexSpec {
  v: 2;
  key: Record<string, 1 | -1>;
  name: string;
  unique?: boolean;
  sparse?: boolean;
  hidden?: boolean;
  expireAfterSeconds?: number;
  partialFilterExpression?: Document;
}

/** What the catalog keeps about an index beside its specification. */
export interface IndexDefinition {
  ident: number;
  spec: IndexSpec;
  /** Which key fields have met an array; decides what bounds a plan may use. */
  multikey: boolean[];
  /** Some key was too long to be stored in order, so the index serves no sort. */
  longKeys: boolean;
}

export const ID_INDEX_NAME = '_id_';
const IGNORED_OPTIONS = new Set(['v', 'background', 'ns', 'comment']);
const MAX_EXPIRE_SECONDS = 2147483647;

/** Checks one entry of `createIndexes` and brings it into the catalog's form. */
export function parseIndexSpec(input: Document): IndexSpec {
  const { key, name, ...options } = input;
  if (!isDocument(key)) throw failedToParse("The 'key' field is a required property of an index specification");
  const spec: IndexSpec = { v: 2, key: parseKey(key), name: parseName(name) };
  for (const [option, value] of Object.entries(options)) applyOption(spec, option, value);
  if (spec.name !== ID_INDEX_NAME && isIdKey(spec.key)) spec.name = ID_INDEX_NAME;
  if (isIdKey(spec.key)) return { v: 2, key: spec.key, name: ID_INDEX_NAME };
  if (spec.sparse && spec.partialFilterExpression) {
    throw new MongoError(67, 'cannot mix "partialFilterExpression" and "sparse" options');
  }
  if (spec.expireAfterSeconds !== undefined && Object.keys(spec.key).length !== 1) {
    throw new MongoError(67, 'TTL indexes are single-field indexes, compound indexes do not support TTL.');
  }
  return spec;
}

function parseKey(key: Document): IndexSpec['key'] {
  const parsed: IndexSpec['key'] = {};
  for (const [path, direction] of Object.entries(key)) {
    if (path === '' || path.split('.').includes('')) throw new MongoError(67, 'Index keys cannot be an empty field.');
    if (path.startsWith('$'))
      throw new MongoError(67, `Index key contains an illegal field name: field name starts with '$'.`);
    if (typeof direction === 'string') throw notSupported(`index type '${direction}'`);
    if (path.includes('$**')) throw notSupported("index type 'wildcard'");
    if (!isNumeric(direction) || toNumber(direction) === 0 || Number.isNaN(toNumber(direction))) {
      throw new MongoError(67, 'Values in the index key pattern cannot be 0.');
    }
    parsed[path] = toNumber(direction) < 0 ? -1 : 1;
  }
  if (Object.keys(parsed).length === 0) throw new MongoError(67, 'Index keys cannot be empty.');
  return parsed;
}

function parseName(name: unknown): string {
  if (name === undefined) throw failedToParse("The 'name' field is a required property of an index specification");
  if (typeof name !== 'string') throw typeMismatch("The field 'name' must be a string");
  if (name === '' || name === '*') throw new MongoError(67, `The index name '${name}' is not valid.`);
  return name;
}

function applyOption(spec: IndexSpec, option: string, value: unknown): void {
  switch (option) {
    case 'unique':
    case 'sparse':
    case 'hidden':
      if (typeof value !== 'boolean' && !isNumeric(value)) throw typeMismatch(`The field '${option}' must be a bool`);
      if (value === true || (isNumeric(value) && toNumber(value) !== 0)) spec[option] = true;
      return;
    case 'expireAfterSeconds': {
      if (!isNumeric(value)) throw typeMismatch("The field 'expireAfterSeconds' must be a number");
      spec.expireAfterSeconds = parseExpiry(toNumber(value));
      return;
    }
    case 'partialFilterExpression':
      if (!isDocument(value)) throw typeMismatch("The field 'partialFilterExpression' must be an object");
      assertPartialFilter(value);
      spec.partialFilterExpression = value;
      return;
    case 'collation':
      if (isDocument(value) && value.locale === 'simple') return;
      throw notSupported('collation');
    default:
      if (IGNORED_OPTIONS.has(option)) return;
      throw new MongoError(197, `The field '${option}' is not valid for an index specification.`);
  }
}

export function parseExpiry(seconds: number): number {
  if (Number.isNaN(seconds) || seconds < 0 || seconds > MAX_EXPIRE_SECONDS) {
    throw new MongoError(
      67,
      `TTL index 'expireAfterSeconds' option must be within an acceptable range, got ${seconds}`,
    );
  }
  return Math.trunc(seconds);
}

const PARTIAL_OPERATORS = new Set(['$eq', '$gt', '$gte', '$lt', '$lte', '$exists', '$type', '$in']);

/** MongoDB allows few operators here, which keeps the implication test of the planner sound. */
function assertPartialFilter(filter: Document): void {
  compileFilter(filter);
  for (const [name, condition] of Object.entries(filter)) {
    if (name === '$and' || name === '$or') {
      for (const branch of condition as Document[]) assertPartialFilter(branch);
    } else if (bracketOf(condition) === Bracket.regex) {
      throw new MongoError(67, `Expression not supported in partial index: ${name} $regex`);
    } else if (isDocument(condition)) {
      for (const [operator, operand] of Object.entries(condition)) {
        if (!operator.startsWith('$')) continue;
        if (!PARTIAL_OPERATORS.has(operator) || (operator === '$exists' && operand === false)) {
          throw new MongoError(67, `Expression not supported in partial index: ${operator}`);
        }
      }
    }
  }
}

const isIdKey = (key: Document): boolean => Object.keys(key).length === 1 && key._id === 1;

export const sameKey = (a: IndexSpec['key'], b: IndexSpec['key']): boolean =>
  JSON.stringify(Object.entries(a)) === JSON.stringify(Object.entries(b));

/** The key pattern of a hint, for comparing with `sameKey`. */
export function hintKey(hint: Document): IndexSpec['key'] {
  const key: IndexSpec['key'] = {};
  for (const [path, direction] of Object.entries(hint)) {
    if (!isNumeric(direction)) throw badValue(`bad hint: ${path}`);
    key[path] = toNumber(direction) < 0 ? -1 : 1;
  }
  return key;
}
