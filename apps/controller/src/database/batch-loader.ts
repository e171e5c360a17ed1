/** Most keys of one query. */
const MAX_KEYS = 500;
/** One that is answered and one that waits for its turn; a query that hangs does not hold up all others. */
const MAX_UNDER_WAY = 2;

interface Waiting<V> {
  resolve: (value: V | undefined) => void;
  reject: (error: unknown) => void;
}

/**
 * Looks up by one query what is asked for at about the same time, each key once: where a thousand agents connect at once,
 * that is most of the work. While queries are under way the next one gathers, so batches grow with the load, and without
 * load nobody waits. A query goes out after its questions, so nobody gets an answer that is older than the question.
 * Whoever asked for the same key shares the answer and must not change it.
 */
export class BatchLoader<V> {
  private waiting = new Map<string, Waiting<V>[]>();
  private underWay = 0;
  private isScheduled = false;

  constructor(private readonly fetch: (keys: string[]) => Promise<Map<string, V>>) {}

  /** Undefined where there is nothing under the key. */
  load(key: string): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      const sameKey = this.waiting.get(key);
      if (sameKey === undefined) this.waiting.set(key, [{ resolve, reject }]);
      else sameKey.push({ resolve, reject });
      this.schedule();
    });
  }

  /** At the end of this turn of the event loop, for what else it brings. */
  private schedule(): void {
    if (this.isScheduled || this.waiting.size === 0 || this.underWay >= MAX_UNDER_WAY) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      void this.run(this.take()).finally(() => {
        this.underWay--;
        this.schedule();
      });
      this.schedule();
    });
  }

  private take(): [string, Waiting<V>[]][] {
    this.underWay++;
    const batch = [...this.waiting].slice(0, MAX_KEYS);
    for (const [key] of batch) this.waiting.delete(key);
    return batch;
  }

  private async run(batch: [string, Waiting<V>[]][]): Promise<void> {
    try {
      const found = await this.fetch(batch.map(([key]) => key));
      for (const [key, waiting] of batch) for (const { resolve } of waiting) resolve(found.get(key));
    } catch (error) {
      for (const [, waiting] of batch) for (const { reject } of waiting) reject(error);
    }
  }
}
