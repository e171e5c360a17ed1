/** Most updates of one write. */
const MAX_UPDATES = 500;

/** A conditional update of one document. */
export interface GroupedUpdate<F, U> {
  id: string;
  filter: F;
  update: U;
  /** Set by the update, so that its effect can be recognised. */
  mark: string;
}

export interface UpdateStore<F, U> {
  /** Applies each on its own; answers how many found their document. Never two of the same document at once. */
  write(updates: GroupedUpdate<F, U>[]): Promise<number>;
  /** The mark each of the documents has now. */
  marks(ids: string[]): Promise<Map<string, string | undefined>>;
}

interface Waiting<F, U> extends GroupedUpdate<F, U> {
  resolve: (applied: boolean) => void;
  reject: (error: unknown) => void;
}

/**
 * Writes conditional updates of different documents together: while one write is under way the next gathers. A write only
 * says how many of its updates found their document; where that is not all of them, the marks tell which.
 */
export class GroupedUpdates<F, U> {
  private waiting: Waiting<F, U>[] = [];
  private running: Promise<void> | undefined;

  constructor(private readonly store: UpdateStore<F, U>) {}

  /** Whether the document was as the filter expects. False also where its mark was overwritten right after. */
  apply(update: GroupedUpdate<F, U>): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ ...update, resolve, reject });
      this.running ??= this.run();
    });
  }

  private async run(): Promise<void> {
    // What arrives in this turn of the event loop goes with the first write.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0) {
      const group = this.take();
      try {
        await this.commit(group);
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.running = undefined;
  }

  /** Of each document the first update that waits. */
  private take(): Waiting<F, U>[] {
    const group = new Map<string, Waiting<F, U>>();
    const later: Waiting<F, U>[] = [];
    for (const update of this.waiting) {
      if (group.has(update.id) || group.size === MAX_UPDATES) later.push(update);
      else group.set(update.id, update);
    }
    this.waiting = later;
    return [...group.values()];
  }

  private async commit(group: Waiting<F, U>[]): Promise<void> {
    const found = await this.store.write(group);
    if (found === group.length) {
      for (const { resolve } of group) resolve(true);
    } else if (found === 0) {
      for (const { resolve } of group) resolve(false);
    } else {
      const marks = await this.store.marks(group.map(({ id }) => id));
      for (const { id, mark, resolve } of group) resolve(marks.get(id) === mark);
    }
  }
}
