import { parseSelectionMode, Placement, SelectionMode } from './placement';

describe('selection modes', () => {
  it.each([
    ['random', { mode: 'random' }],
    ['exact', { mode: 'exact' }],
    ['select:min:cpu', { mode: 'min', metric: 'cpu' }],
    ['select:first_success:gpu.free', { mode: 'first_success', metric: 'gpu.free' }],
  ])('%s is understood', (text, expected) => expect(parseSelectionMode(text)).toEqual(expected));

  it.each([
    '',
    'min',
    'select',
    'select:min',
    'select:min:',
    'select:avg:cpu',
    'select:min:a:b',
    'SELECT:min:cpu',
    'select:min:$x',
  ])('%j is refused with the list of modes', (text) => {
    const parsed = SelectionMode.safeParse(text);
    expect(parsed.error?.issues[0]?.message).toMatch(/random.*min_load.*select:max:<metric>/);
  });

  it('a placement without a mode spreads the load', () => {
    expect(Placement.parse({})).toEqual({ mode: 'min_load', labels: {} });
  });
});
