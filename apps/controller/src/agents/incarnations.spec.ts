import { judgeIncarnation } from './incarnations';

const NOW = new Date('2026-01-01T00:10:00Z');
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1000);

describe('judgeIncarnation', () => {
  it('takes the first process and those without an incarnation as they are', () => {
    expect(judgeIncarnation({ supersededIncarnations: [] }, 'a', NOW)).toEqual({
      kind: 'new',
      superseded: [],
      conflict: false,
    });
    expect(judgeIncarnation({ incarnation: 'a', supersededIncarnations: [] }, undefined, NOW)).toEqual({
      kind: 'anonymous',
    });
  });

  it('tells a token refresh from a takeover', () => {
    const known = { incarnation: 'a', supersededIncarnations: [] };
    expect(judgeIncarnation(known, 'a', NOW)).toEqual({ kind: 'same' });
    expect(judgeIncarnation(known, 'b', NOW)).toEqual({
      kind: 'new',
      superseded: [{ incarnation: 'a', at: NOW }],
      conflict: false,
    });
  });

  it('never lets a superseded process back', () => {
    const known = { incarnation: 'c', supersededIncarnations: [{ incarnation: 'a', at: ago(9999) }] };
    expect(judgeIncarnation(known, 'a', NOW)).toEqual({ kind: 'superseded' });
  });

  it('calls three takeovers within a minute a conflict', () => {
    const with2 = (seconds: number) => ({
      incarnation: 'c',
      supersededIncarnations: [
        { incarnation: 'a', at: ago(seconds) },
        { incarnation: 'b', at: ago(1) },
      ],
    });
    expect(judgeIncarnation(with2(59), 'd', NOW)).toMatchObject({ conflict: true });
    expect(judgeIncarnation(with2(61), 'd', NOW)).toMatchObject({ conflict: false });
  });

  it('remembers a bounded number', () => {
    const supersededIncarnations = Array.from({ length: 100 }, (_, i) => ({ incarnation: `i${i}`, at: ago(3600) }));
    const verdict = judgeIncarnation({ incarnation: 'x', supersededIncarnations }, 'y', NOW);
    expect(verdict).toMatchObject({ kind: 'new' });
    expect(verdict.kind === 'new' && verdict.superseded.map(({ incarnation }) => incarnation)).toEqual([
      ...supersededIncarnations.slice(1).map(({ incarnation }) => incarnation),
      'x',
    ]);
  });
});
