import { distribution, figure } from './stats';

describe('distribution', () => {
  it('gives nearest-rank percentiles, whatever the order', () => {
    const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(distribution(samples)).toEqual({ count: 100, p50: 50, p95: 95, p99: 99 });
  });

  it('of one sample is that sample', () => {
    expect(distribution([7])).toEqual({ count: 1, p50: 7, p95: 7, p99: 7 });
  });

  it('refuses to describe nothing', () => {
    expect(() => distribution([])).toThrow('no samples');
  });
});

describe('figure', () => {
  it.each([
    [0.12345, '0.123'],
    [1.5, '1.5'],
    [99.96, '100'],
    [123456.7, '123 457'],
  ])('%d is written %s', (value, text) => expect(figure(value)).toBe(text));
});
