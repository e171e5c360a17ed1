import { type Clock, systemClock } from './clock';
import { backoffMs, retry } from './retry';
import { seededRng } from './rng';

function recordingClock(): { clock: Clock; slept: number[] } {
  const slept: number[] = [];
  return { slept, clock: { ...systemClock, sleep: async (ms) => void slept.push(ms) } };
}

describe('retry', () => {
  it('waits the given delays and returns the first success', async () => {
    const { clock, slept } = recordingClock();
    const result = await retry(
      async (attempt) => {
        if (attempt < 3) throw new Error('not yet');
        return attempt;
      },
      { delaysMs: [1000, 2000, 4000], clock },
    );
    expect(result).toBe(3);
    expect(slept).toEqual([1000, 2000]);
  });

  it('throws the last failure when the delays are used up', async () => {
    const { clock, slept } = recordingClock();
    const attempts = retry(async (attempt) => Promise.reject(new Error(`attempt ${attempt}`)), {
      delaysMs: [1, 2],
      clock,
    });
    await expect(attempts).rejects.toThrow('attempt 3');
    expect(slept).toEqual([1, 2]);
  });

  it('gives up at once on a failure that is not worth it', async () => {
    let calls = 0;
    const attempts = retry(
      async () => {
        calls++;
        throw new Error('401');
      },
      { delaysMs: [1, 1, 1], shouldRetry: (error) => !(error as Error).message.startsWith('4') },
    );
    await expect(attempts).rejects.toThrow('401');
    expect(calls).toBe(1);
  });

  it('stops waiting when aborted', async () => {
    const abort = new AbortController();
    const attempts = retry(async () => Promise.reject(new Error('down')), { delaysMs: [60_000], signal: abort.signal });
    setTimeout(() => abort.abort(new Error('shutting down')), 5);
    await expect(attempts).rejects.toThrow('shutting down');
  });
});

describe('backoffMs', () => {
  it('stays between zero and the cap and grows on average', () => {
    const rng = seededRng(7);
    const mean = (attempt: number): number =>
      Array.from({ length: 500 }, () => backoffMs(attempt, 250, 10_000, rng)).reduce((a, b) => a + b) / 500;
    expect(mean(1)).toBeLessThan(mean(3));
    expect(Math.max(...Array.from({ length: 500 }, () => backoffMs(40, 250, 10_000, rng)))).toBeLessThanOrEqual(10_000);
  });
});
