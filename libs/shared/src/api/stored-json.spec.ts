import { storedJson } from './stored-json';

const schema = storedJson({ maxDepth: 4, maxBytes: 200 });
const nested = (depth: number): unknown => JSON.parse('{"a":'.repeat(depth) + '1' + '}'.repeat(depth));

describe('storedJson', () => {
  it.each([{}, { a: null }, { 'a.b': [1, 'x', { c: true }] }, { text: '\0 is fine in a value' }])(
    'takes %j',
    (value) => {
      expect(schema.parse(value)).toEqual(value);
    },
  );

  it.each([
    ['an array', []],
    ['null', null],
    ['an operator', { $where: '1' }],
    ['a nested operator', { a: [{ $gt: '' }] }],
    ['a NUL in a key', { 'a\0b': 1 }],
    ['an empty key', { a: { '': 1 } }],
    ['a nested prototype', { a: JSON.parse('{"__proto__":1}') as unknown }],
    ['five levels', nested(5)],
    ['more bytes than allowed', { a: 'x'.repeat(200) }],
  ])('refuses %s', (_, value) => {
    expect(schema.safeParse(value).success).toBe(false);
  });

  it('refuses a value nested so deeply that recursion would overflow', () => {
    expect(schema.safeParse(nested(50_000)).success).toBe(false);
  });

  it('drops a prototype key of the object itself', () => {
    expect(schema.parse(JSON.parse('{"__proto__":{"polluted":true}}'))).toEqual({});
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
