import { systemClock } from './clock';
import { startInterval } from './interval';

const soon = (ms = 5): Promise<void> => systemClock.sleep(ms);

describe('startInterval', () => {
  it('never overlaps two runs, however slow they are', async () => {
    let inside = 0;
    let most = 0;
    let runs = 0;
    const interval = startInterval({
      everyMs: 1,
      run: async () => {
        inside++;
        runs++;
        most = Math.max(most, inside);
        await soon();
        inside--;
      },
      onError: fail,
    });
    while (runs < 5) await soon();
    await interval.stop();
    expect(most).toBe(1);
    expect(inside).toBe(0);
  });

  it('goes on after a run that throws, and reports it', async () => {
    const errors: unknown[] = [];
    let runs = 0;
    const interval = startInterval({
      everyMs: 1,
      run: () => {
        runs++;
        throw new Error(`run ${runs}`);
      },
      onError: (error) => errors.push(error),
    });
    while (runs < 3) await soon();
    await interval.stop();
    expect(errors.length).toBe(runs);
  });

  it('runs at once when triggered, also when the trigger came during a run', async () => {
    let runs = 0;
    const interval = startInterval({
      everyMs: 60_000,
      run: async () => {
        runs++;
        await soon();
      },
      onError: fail,
    });
    interval.trigger();
    while (runs < 1) await soon(1);
    interval.trigger();
    while (runs < 2) await soon(1);
    await interval.stop();
    expect(runs).toBe(2);
  });

  function fail(error: unknown): never {
    throw error;
  }
});
