import { callableNames } from './tool-names';

const names = (...given: string[]) => [...callableNames(given.map((name) => ({ name }))).keys()];

describe('callableNames', () => {
  it('keeps names that models take', () => {
    expect(names('weather', 'test-tool-read', 'a.b_C9')).toEqual(['weather', 'test-tool-read', 'a.b_C9']);
  });

  it('makes others fit', () => {
    expect(names('Weather in städten', '名')).toEqual(['Weather_in_st_dten', '_']);
    expect(names('x'.repeat(100))).toEqual(['x'.repeat(48)]);
  });

  it('never gives a name twice', () => {
    expect(names('a b', 'a_b', 'a b', 'a-b')).toEqual(['a_b', 'a_b_2', 'a_b_3', 'a-b']);
    const long = names(...Array.from({ length: 20 }, () => 'x'.repeat(60)));
    expect(new Set(long).size).toBe(20);
    for (const name of long) expect(name.length).toBeLessThanOrEqual(48);
  });
});
