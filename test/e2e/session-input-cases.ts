import { type IncomingHttpHeaders } from 'node:http';
import { newId, newObjectId } from '@reins/shared/ids';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** What this suite reads of a JSON schema. */
export interface Schema {
  $ref?: string;
  type?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  maxItems?: number;
}

export interface Parameter {
  in: 'path' | 'query' | 'header';
  name: string;
  schema: Schema;
}

export interface Operation {
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

export interface Route extends Operation {
  method: string;
  path: string;
}

/** Values no field was made for. `undefined` leaves the field out. */
export const NASTY: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  Number.MAX_SAFE_INTEGER + 2,
  '',
  ' ',
  'x'.repeat(200_000),
  '\0',
  'a\0b\r\nc',
  '\ud800',
  '𝕏‮אבג 🤖',
  '../../etc/passwd',
  '--upload-pack=touch /tmp/x',
  [],
  [null],
  [[[[]]]],
  ['x', null, 1],
  {},
  { $gt: '' },
  { 'a.b': 1, '': 2 },
  JSON.parse('{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}') as unknown,
];

export const deep = (depth: number, open: string, close: string): string =>
  open.repeat(depth) + '1' + close.repeat(depth);

/** Whole bodies, sent as they are. */
export const BODIES: readonly string[] = [
  '',
  'null',
  '1',
  '"text"',
  '[]',
  '[{}]',
  '{',
  '{"prompt":',
  'undefined',
  '\0',
  '\ufeff{}',
  '{"prompt":"a","prompt":null}',
  '{"prompt":"\\ud800"}',
  `{"prompt":${'9'.repeat(5000)}}`,
  deep(100_000, '[', ']'),
  deep(100_000, '{"settings":', '}'),
  `{"workerId":"x","prompt":"x","settings":${deep(50_000, '{"limits":', '}')}}`,
];

export const WRONG_TYPES = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/json; charset=nonsense',
  'x',
  '',
];

export const BAD_VALUES = [
  'x',
  '',
  '-1',
  '0.5',
  '1e9',
  '9'.repeat(400),
  '%00',
  '%ZZ',
  '%F0%9F%A4%96',
  'NaN',
  'Infinity',
  'null',
  '__proto__',
  '%7B%22$gt%22:%22%22%7D',
];

export const BAD_IDS = [
  'x',
  '0',
  'sess-',
  '..%2f..',
  '%00',
  'a%00b',
  '%ff%fe',
  '%ZZ',
  '%',
  'x'.repeat(3000),
  '%F0%9F%A4%96',
  '[object%20Object]',
  '%7B%22$gt%22:%22%22%7D',
  '__proto__',
  'constructor',
  newId('session'),
  newId('turn'),
  newId('worker'),
  newId('blob'),
  newObjectId(),
];

export const BAD_HEADERS = [
  '',
  ' ',
  'x',
  '-1',
  '1.5',
  '1e400',
  'NaN',
  '0x10',
  '9'.repeat(400),
  'x'.repeat(8000),
  'a b',
  'é',
]
  .concat('{"$gt":""}', '__proto__', '$where', '\t')
  .map((value): string | string[] => value)
  .concat([['a', 'b']]);

export const short = (value: unknown): string => (JSON.stringify(value) ?? 'left out').slice(0, 60);

/** Every field of a body schema, nested ones by their dotted path. */
export function fieldsOf(schema: Schema, prefix = ''): { path: string; schema: Schema; required: boolean }[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, found]) => {
    const field = { path: prefix + name, schema: found, required: schema.required?.includes(name) === true };
    return [field, ...fieldsOf(found, `${prefix}${name}.`)];
  });
}

/** The body with one field replaced or, by `undefined`, left out. */
export function spoil(body: Record<string, unknown>, path: string, value: unknown): Record<string, unknown> {
  const [name = '', ...rest] = path.split('.');
  const inner = (body[name] ?? {}) as Record<string, unknown>;
  return { ...body, [name]: rest.length === 0 ? value : spoil(inner, rest.join('.'), value) };
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** Values just outside of what the schema allows. */
export function outside(schema: Schema): unknown[] {
  const { minLength = 0, maxLength, minimum, maximum, maxItems, items, pattern } = schema;
  return [
    ...(minLength > 0 ? ['x'.repeat(minLength - 1)] : []),
    ...(maxLength !== undefined ? ['x'.repeat(maxLength + 1)] : []),
    ...(minimum !== undefined ? [minimum - 1, -1e300] : []),
    ...(maximum !== undefined ? [maximum * 2 + 2, 1e300] : []),
    ...(schema.type === 'integer' ? [10.5] : []),
    ...(maxItems !== undefined ? [Array.from({ length: maxItems + 1 }, () => 'x')] : []),
    ...(items?.maxLength !== undefined ? [['x'.repeat(items.maxLength + 1)]] : []),
    ...(schema.enum !== undefined || pattern !== undefined ? [' not one of these ', '-', 'a/../b\n'] : []),
  ];
}

export function mustBeRefused(schema: Schema, required: boolean, value: unknown): boolean {
  if (value === undefined) return required;
  const expected = schema.type === 'integer' ? 'number' : schema.type;
  return typeOf(value) !== expected || outside(schema).includes(value);
}

const isServerError = ({ status, text }: Answer): boolean =>
  status >= 500 && !(status === 501 && text.includes('"not_implemented"'));

/** Never a server error; an error has VWM's shape, and a 400 says which field is wrong, `field` where it is known. */
export function judge(what: string, answer: Answer, field?: string): void {
  const said = `${what.slice(0, 160)}: ${answer.status} ${answer.text.slice(0, 400)}`;
  if (isServerError(answer)) throw new Error(`a server error: ${said}`);
  if (answer.status < 400) return;
  const body = JSON.parse(answer.text || 'null') as Record<string, unknown> | null;
  const { error, code, correlationId, details } = body ?? {};
  const named = [error, code, correlationId].every((text) => typeof text === 'string' && text !== '');
  if (!named || correlationId !== answer.headers['x-correlation-id']) throw new Error(`another shape: ${said}`);
  if (answer.status !== 400 || code === 'invalid_json') return;
  const paths = Array.isArray(details) ? details.map(({ path }: { path?: unknown }) => String(path)) : [];
  const names = field === undefined ? paths.length > 0 : paths.some((path) => `${path}.`.startsWith(`${field}.`));
  if (!names) throw new Error(`does not name ${field ?? 'a field'}: ${said}`);
}
