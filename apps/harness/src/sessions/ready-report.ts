import { type Clock } from '@reins/shared/util/clock';
import { LinkDown } from '../link/link-errors';
import { describeError, type Logger } from '../log/logger';

export interface ReadyReportOptions {
  send: (timings: Record<string, number>) => Promise<unknown>;
  /** False once the session is not to get turns any more. */
  isWanted: () => boolean;
  /** The report was heard, or the attempt is over. */
  onChange: () => void;
  log: Logger;
  clock: Clock;
}

const RETRY_MS = 500;

/** Says that a session's workspace is there, until the controller has heard it. */
export class ReadyReport {
  private timings: Record<string, number> | undefined;
  private heard = false;
  private saying = false;

  constructor(private readonly options: ReadyReportOptions) {}

  get isHeard(): boolean {
    return this.heard;
  }

  made(timings: Record<string, number>): Promise<void> {
    this.timings = timings;
    return this.say();
  }

  /** Does nothing before the workspace is made and once the controller knows. Never rejects. */
  async say(): Promise<void> {
    const { timings } = this;
    if (timings === undefined || this.saying) return;
    this.saying = true;
    const { send, isWanted, onChange, log, clock } = this.options;
    while (!this.heard && isWanted()) {
      try {
        await send(timings);
        this.heard = true;
      } catch (error) {
        log.debug('ready goes again', { reason: describeError(error) });
        // Without a connection the next welcome says it; a refusal or a lost answer must not wait for that.
        if (error instanceof LinkDown) break;
        await clock.sleep(RETRY_MS);
      }
    }
    this.saying = false;
    onChange();
  }
}
