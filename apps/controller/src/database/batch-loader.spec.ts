import { BatchLoader } from './batch-loader';

describe('BatchLoader', () => {
  const queries: string[][] = [];
  const loader = new BatchLoader<number>(async (keys) => {
    queries.push(keys);
    if (keys.includes('broken')) throw new Error('the database is away');
    return new Map(keys.filter((key) => key !== 'nobody').map((key) => [key, key.length]));
  });

  beforeEach(() => {
    queries.length = 0;
  });

  it('asks once for what is looked up in one turn, and each key once', async () => {
    const answers = await Promise.all(['a', 'bb', 'a', 'nobody'].map((key) => loader.load(key)));
    expect(answers).toEqual([1, 2, 1, undefined]);
    expect(queries).toEqual([['a', 'bb', 'nobody']]);
  });

  it('asks anew in the next turn: an answer is never older than its question', async () => {
    const first = loader.load('a');
    await new Promise((resolve) => setImmediate(resolve));
    const second = loader.load('a');
    expect(await Promise.all([first, second])).toEqual([1, 1]);
    expect(queries).toEqual([['a'], ['a']]);
  });

  it('fails everyone who waits for a failed query, and nobody else', async () => {
    const failing = [loader.load('broken'), loader.load('a')];
    expect((await Promise.allSettled(failing)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await loader.load('a')).toBe(1);
  });

  it('divides what would be too long for one query', async () => {
    const keys = Array.from({ length: 1200 }, (_, index) => `key-${index}`);
    expect(await Promise.all(keys.map((key) => loader.load(key)))).toEqual(keys.map((key) => key.length));
    expect(queries.map((query) => query.length)).toEqual([500, 500, 200]);
  });

  it('gathers while two queries are under way, and goes on when one of them is answered', async () => {
    const answers: (() => void)[] = [];
    const asked: string[][] = [];
    const slow = new BatchLoader<string>((keys) => {
      asked.push(keys);
      return new Promise((resolve) => answers.push(() => resolve(new Map(keys.map((key) => [key, key])))));
    });
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const loads: Promise<string | undefined>[] = [];
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      loads.push(slow.load(key));
      await turn();
    }
    expect(asked).toEqual([['a'], ['b']]);
    answers[0]?.();
    await turn();
    await turn();
    expect(asked).toEqual([['a'], ['b'], ['c', 'd', 'e']]);
    for (const answer of answers) answer();
    expect(await Promise.all(loads)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});
