/** Most documents of one write. */
const BATCH = 1000;

/**
 * Gathers documents that nobody waits for and writes them together. What could not be written stays for the next flush;
 * beyond `maxWaiting` the oldest are given up.
 */
export class WriteBuffer<T> {
  private waiting: T[] = [];
  private running: Promise<void> | undefined;

  constructor(
    /** Must be harmless when it is repeated with some of the documents. */
    private readonly write: (documents: T[]) => Promise<void>,
    private readonly maxWaiting: number,
  ) {}

  /** False where the oldest had to make room. */
  push(document: T): boolean {
    this.waiting.push(document);
    return this.trim();
  }

  /**
   * Writes what has gathered; what is pushed meanwhile goes with the next write. Resolves when nothing is left, rejects
   * where a write failed.
   */
  flush(): Promise<void> {
    this.running ??= this.run().finally(() => (this.running = undefined));
    return this.running;
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, BATCH);
      try {
        await this.write(batch);
      } catch (error) {
        this.waiting.unshift(...batch);
        this.trim();
        throw error;
      }
    }
  }

  private trim(): boolean {
    const excess = this.waiting.length - this.maxWaiting;
    if (excess <= 0) return true;
    this.waiting.splice(0, excess);
    return false;
  }
}
