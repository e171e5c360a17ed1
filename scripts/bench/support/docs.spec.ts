import { type Run, withFigures } from './docs';
import { atMost } from './report';

const run: Run = {
  at: '2026-11-21T10:00:00.000Z',
  commit: 'abc1234',
  line: '2 × a CPU',
  load: 0.1,
  loadAfter: 2.04,
  database: 'embedded',
  command: 'npm run bench',
  rows: [
    {
      id: 'b1',
      title: 'Dispatch',
      measures: [{ what: 'w', who: 'ours', unit: 'ms', count: 30, p50: 1.234, p95: 2, p99: 3 }],
      verdicts: [atMost('p99', 3, 20, ' ms'), atMost('ratio', 1.75, 1.5, '×')],
      notes: ['a note'],
    },
  ],
};
const page =
  'before\n<!-- b1:begin -->\nold\n<!-- b1:end -->\nbetween\n<!-- b2:begin -->\nkept\n<!-- b2:end -->\nafter\n';

describe('withFigures', () => {
  it('replaces the figures of the rows that ran and nothing else', () => {
    const written = withFigures(page, run);
    expect(written).not.toContain('old');
    expect(written).toContain('kept');
    expect(written).toContain('| w | ours | ms | 1.23 | 2 | 3 | 30 | – | – |');
    expect(written).toContain('- p99: **3 ms**, goal ≤ 20 ms: met.');
    expect(written).toContain('- ratio: **1.75×**, goal ≤ 1.5×: missed.');
    expect(written).toMatch(/^before\n/);
    expect(written).toMatch(/\nafter\n$/);
  });

  it('written twice is the same page', () => {
    expect(withFigures(withFigures(page, run), run)).toBe(withFigures(page, run));
  });

  it('says which markers are missing', () => {
    expect(() => withFigures('nothing here', run)).toThrow('b1:begin');
  });
});
