import { type DriverOutcome, type EventSink } from '../driver.port';
import { RawCapture } from '../raw-capture';
import { type MappedEvent, type TurnResult } from './line-mapper';

/** One prompt under way: where its events go and how it ended. */
export class ClaudeTurn {
  readonly raw = new RawCapture();
  readonly ended: Promise<DriverOutcome | 'conversation_missing'>;
  private finish: (outcome: DriverOutcome | 'conversation_missing') => void = () => undefined;
  private fail: (error: unknown) => void = () => undefined;

  constructor(
    private readonly sink: EventSink,
    private readonly signal: AbortSignal,
  ) {
    this.ended = new Promise((resolve, reject) => {
      this.finish = resolve;
      this.fail = reject;
    });
  }

  async emit(event: MappedEvent): Promise<void> {
    try {
      await this.sink.emit(event.type, event.data);
    } catch (error) {
      this.fail(error);
    }
  }

  result(result: TurnResult): void {
    const { ok, stopReason, message, usage } = result;
    if (this.signal.aborted) return this.end({ status: 'cancelled', stopReason: 'aborted', usage });
    if (ok) return this.end({ status: 'complete', stopReason, usage });
    this.end({ status: 'failed', stopReason, usage, error: { message } });
  }

  conversationMissing(): void {
    this.finish('conversation_missing');
  }

  processEnded(how: string, stderrTail: string | undefined): void {
    if (this.signal.aborted) return this.end({ status: 'cancelled', stopReason: 'aborted', usage: undefined });
    const error = { message: `Claude Code ended ${how} during the turn`, ...(stderrTail ? { stderrTail } : {}) };
    this.end({ status: 'failed', stopReason: 'process_exited', usage: undefined, error });
  }

  private end(outcome: DriverOutcome): void {
    this.finish({ ...outcome, raw: { format: 'stream-json', content: this.raw.read() } });
  }
}
