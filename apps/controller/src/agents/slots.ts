/** Lets a bounded number of tasks run at once; the others wait in the order they came. */
export class Slots {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await task();
    } finally {
      // A slot handed on is never free in between, so nobody overtakes.
      const next = this.waiting.shift();
      if (next === undefined) this.free++;
      else next();
    }
  }
}
