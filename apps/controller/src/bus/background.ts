import { Injectable, Logger } from '@nestjs/common';

/** Work that nobody waits for: its failures are logged instead of ending the process, and a shutdown waits for it. */
@Injectable()
export class Background {
  private readonly logger = new Logger('Background');
  private readonly running = new Set<Promise<void>>();

  start(what: string, work: () => Promise<unknown>): void {
    const task = work()
      .then(() => undefined)
      .catch((error: unknown) => this.logger.error({ err: error }, `${what} failed`))
      .finally(() => this.running.delete(task));
    this.running.add(task);
  }

  /** Resolves when all that runs now, and what it starts, is done. */
  async settle(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }
}
