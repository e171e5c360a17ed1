import { argumentProblems } from './tool-arguments';

const SCHEMA = {
  type: 'object',
  required: ['city', 'constructor'],
  properties: {
    city: { type: 'string', pattern: '(a+)+$' },
    days: { type: 'integer' },
    unit: { enum: ['c', 'f'] },
    at: { type: ['string', 'null'] },
    list: { type: 'array' },
    map: { type: 'object' },
    odd: { type: 'anything' },
  },
};

describe('argumentProblems', () => {
  it.each([
    { city: 'x' },
    { city: 'x', days: 3, unit: 'c', at: null, list: [], map: {}, odd: 1, more: true },
    { city: `${'a'.repeat(100_000)}!` },
  ])('finds nothing wrong', (given) => {
    expect(argumentProblems(SCHEMA, { ...given, constructor: 1 })).toEqual([]);
  });

  it('names what is missing, inherited names included', () => {
    expect(argumentProblems(SCHEMA, {})).toEqual(['city is required', 'constructor is required']);
  });

  it.each([
    [{ city: 1 }, 'city must be of type string'],
    [{ city: 'x', days: 1.5 }, 'days must be of type integer'],
    [{ city: 'x', unit: 'k' }, 'unit must be one of ["c","f"]'],
    [{ city: 'x', at: 1 }, 'at must be of type string or null'],
    [{ city: 'x', list: {} }, 'list must be of type array'],
    [{ city: 'x', map: [] }, 'map must be of type object'],
  ])('refuses %j', (given, problem) => {
    expect(argumentProblems(SCHEMA, { ...given, constructor: 1 })).toEqual([problem]);
  });

  it.each([{}, { required: 'city', properties: [] }, { properties: { a: true } }, { required: [1, null] }])(
    'takes the odd schema %j for what it says',
    (schema) => {
      expect(argumentProblems(schema, { a: 1 })).toEqual([]);
    },
  );
});
