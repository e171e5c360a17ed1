import { type GroupedUpdate, GroupedUpdates, type UpdateStore } from './grouped-updates';

/** Documents that are updated where their value is the expected one. */
class Values implements UpdateStore<number, number> {
  readonly writes: string[][] = [];
  readonly documents = new Map<string, { value: number; mark?: string }>();
  away = false;

  async write(updates: GroupedUpdate<number, number>[]): Promise<number> {
    this.writes.push(updates.map(({ id }) => id));
    await new Promise((resolve) => setImmediate(resolve));
    if (this.away) throw new Error('the database is away');
    const matching = updates.filter(({ id, filter }) => this.documents.get(id)?.value === filter);
    for (const { id, update, mark } of matching) this.documents.set(id, { value: update, mark });
    return matching.length;
  }

  async marks(ids: string[]): Promise<Map<string, string | undefined>> {
    return new Map(ids.map((id) => [id, this.documents.get(id)?.mark]));
  }
}

describe('GroupedUpdates', () => {
  let values: Values;
  let updates: GroupedUpdates<number, number>;
  let marks = 0;
  const apply = (id: string, from: number, to: number): Promise<boolean> =>
    updates.apply({ id, filter: from, update: to, mark: `mark-${++marks}` });

  beforeEach(() => {
    values = new Values();
    updates = new GroupedUpdates(values);
    for (const id of ['a', 'b', 'c']) values.documents.set(id, { value: 0 });
  });

  it('writes together what comes together, and what comes during a write with the next', async () => {
    const first = [apply('a', 0, 1), apply('b', 0, 1)];
    await new Promise((resolve) => setImmediate(resolve));
    const second = [apply('c', 0, 1), apply('a', 1, 2)];
    expect(await Promise.all([...first, ...second])).toEqual([true, true, true, true]);
    expect(values.writes).toEqual([
      ['a', 'b'],
      ['c', 'a'],
    ]);
  });

  it('tells which of a group did not find their document as expected', async () => {
    const answers = await Promise.all([apply('a', 0, 1), apply('b', 7, 8), apply('c', 0, 1), apply('nobody', 0, 1)]);
    expect(answers).toEqual([true, false, true, false]);
    expect(values.documents.get('b')).toEqual({ value: 0 });
    expect(await Promise.all([apply('a', 0, 2), apply('b', 7, 8)])).toEqual([false, false]);
  });

  it('never writes one document twice at once: of two with the same expectation one wins', async () => {
    expect(await Promise.all([apply('a', 0, 1), apply('a', 0, 2), apply('a', 1, 3)])).toEqual([true, false, true]);
    expect(values.writes).toEqual([['a'], ['a'], ['a']]);
  });

  it('fails everyone of a write that failed, and goes on', async () => {
    values.away = true;
    const failed = await Promise.allSettled([apply('a', 0, 1), apply('b', 0, 1)]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    values.away = false;
    expect(await apply('a', 0, 1)).toBe(true);
  });
});
