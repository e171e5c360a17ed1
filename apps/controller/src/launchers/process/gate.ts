import { systemClock } from '@reins/shared/util';

/** Lets a few in at a time: starting fifty processes at once is slower for each than starting them in turn. */
export class Gate {
  private readonly queue: (() => void)[] = [];
  private inside = 0;

  constructor(private readonly places: number) {}

  /** Runs `work` when there is a place and keeps the place for `holdMs` afterwards. */
  async pass<T>(holdMs: number, work: () => Promise<T>): Promise<T> {
    if (this.inside >= this.places) await new Promise<void>((resolve) => this.queue.push(resolve));
    else this.inside++;
    try {
      return await work();
    } finally {
      void systemClock.sleep(holdMs).then(() => this.leave());
    }
  }

  private leave(): void {
    const next = this.queue.shift();
    if (next === undefined) this.inside--;
    else next();
  }
}
