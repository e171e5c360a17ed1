import { type Response } from 'express';
import { type Interval, startInterval, systemClock } from '@reins/shared/util';

export interface SseOptions {
  pingMs: number;
  /** Unread bytes after which the viewer is told `lagged` and closed. */
  backlogBytes: number;
}

/** With less than this unread, a replay goes on. */
const READY_BELOW_BYTES = 64 * 1024;

/** One server-sent event stream to one client. Heads go out at once; a client that stops reading is closed, not skipped. */
export class SseStream {
  private readonly aborted = new AbortController();
  private readonly ping: Interval;

  constructor(
    private readonly response: Response,
    private readonly options: SseOptions,
  ) {
    response.socket?.setNoDelay(true);
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache, no-transform',
      Connection: 'keep-alive',
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
    response.on('close', () => this.abort());
    this.ping = startInterval({
      everyMs: options.pingMs,
      run: () => this.write(': ping\n\n'),
      onError: () => this.abort(),
    });
  }

  /** Aborts when the stream is over, whoever ended it. */
  get signal(): AbortSignal {
    return this.aborted.signal;
  }

  /** One event; `json` is already text. */
  send(json: string, fields: { id?: number | string; event?: string } = {}): void {
    const id = fields.id === undefined ? '' : `id: ${fields.id}\n`;
    const event = fields.event === undefined ? '' : `event: ${fields.event}\n`;
    this.write(`${id}${event}data: ${json}\n\n`);
  }

  /**
   * Resolves when the client has read enough for more to be sent, at once where it keeps up. A client that reads nothing
   * for two pings is told `lagged`. For replays, which could fill the memory faster than anyone reads.
   */
  async ready(): Promise<void> {
    if (this.response.writableLength < READY_BELOW_BYTES || this.aborted.signal.aborted) return;
    const drained = new AbortController();
    const onDrain = (): void => drained.abort();
    this.response.once('drain', onDrain);
    const over = AbortSignal.any([drained.signal, this.aborted.signal]);
    await systemClock.sleep(2 * this.options.pingMs, over).then(
      () => this.lag(),
      () => undefined,
    );
    this.response.off('drain', onDrain);
  }

  close(): void {
    if (!this.response.writableEnded) this.response.end();
    this.abort();
  }

  private write(text: string): void {
    if (this.aborted.signal.aborted || this.response.writableEnded) return;
    this.response.write(text);
    if (this.response.writableLength > this.options.backlogBytes) this.lag();
  }

  private lag(): void {
    if (this.aborted.signal.aborted) return;
    const reason = 'the viewer reads too slowly; resume with Last-Event-ID';
    this.response.write(`event: lagged\ndata: ${JSON.stringify({ reason })}\n\n`);
    this.close();
  }

  private abort(): void {
    if (this.aborted.signal.aborted) return;
    this.aborted.abort();
    void this.ping.stop();
  }
}
