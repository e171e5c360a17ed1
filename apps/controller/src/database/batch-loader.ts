/** Most keys of one query. */
const MAX_KEYS = 500;

interface Waiting<V> {
  resolve: (value: V | undefined) => void;
  reject: (error: unknown) => void;
}

/**
 * Looks up by one query what is asked for within one turn of the event loop, each key once: where a thousand agents
 * connect at once, that is most of the work. The query goes out after the question, so nobody gets an answer that is older
 * than it. Whoever asked for the same key shares the answer and must not change it.
 */
export class BatchLoader<V> {
  private waiting = new Map<string, Waiting<V>[]>();

  constructor(private readonly fetch: (keys: string[]) => Promise<Map<string, V>>) {}

  /** Undefined where there is nothing under the key. */
  load(key: string): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      const sameKey = this.waiting.get(key);
      if (sameKey !== undefined) return void sameKey.push({ resolve, reject });
      if (this.waiting.size === 0) setImmediate(() => this.flush());
      this.waiting.set(key, [{ resolve, reject }]);
    });
  }

  private flush(): void {
    const all = [...this.waiting];
    this.waiting = new Map();
    for (let at = 0; at < all.length; at += MAX_KEYS) {
      const part = all.slice(at, at + MAX_KEYS);
      this.fetch(part.map(([key]) => key)).then(
        (found) => {
          for (const [key, waiting] of part) for (const { resolve } of waiting) resolve(found.get(key));
        },
        (error: unknown) => {
          for (const [, waiting] of part) for (const { reject } of waiting) reject(error);
        },
      );
    }
  }
}
