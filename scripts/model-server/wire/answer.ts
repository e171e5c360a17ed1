import { type ServerResponse } from 'node:http';
import { systemClock } from '@reins/shared/util';

/** Writing side of one HTTP exchange. Every write waits for the client, and everything ends when the client leaves. */
export class Answer {
  /** Unique within one server; wire formats build their ids from it. */
  readonly id: string;
  private readonly gone = new AbortController();

  constructor(
    private readonly response: ServerResponse,
    id: number,
  ) {
    this.id = `local${id}`;
    response.on('close', () => this.gone.abort());
  }

  get left(): boolean {
    return this.gone.signal.aborted;
  }

  json(body: unknown, status = 200): void {
    this.response.writeHead(status, { 'content-type': 'application/json' });
    this.response.end(JSON.stringify(body));
  }

  startStream(): void {
    this.response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  }

  /** One server-sent event; `name` undefined leaves the event line out. */
  async event(name: string | undefined, data: unknown): Promise<void> {
    if (this.left) return;
    const head = name === undefined ? '' : `event: ${name}\n`;
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    if (!this.response.write(`${head}data: ${text}\n\n`)) await this.drained();
  }

  async pause(ms: number): Promise<void> {
    if (ms > 0) await systemClock.sleep(ms, this.gone.signal).catch(() => undefined);
  }

  /** Resolves when the client closes the connection. */
  async untilClientLeaves(): Promise<void> {
    if (this.left) return;
    await new Promise<void>((resolve) => this.gone.signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  end(): void {
    this.response.end();
  }

  private async drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.response.off('drain', done);
        this.gone.signal.removeEventListener('abort', done);
        resolve();
      };
      this.response.once('drain', done);
      this.gone.signal.addEventListener('abort', done, { once: true });
    });
  }
}
