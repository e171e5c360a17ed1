import { type Clock, systemClock } from '@reins/shared/util/clock';
import { backoffMs } from '@reins/shared/util/retry';
import { type Rng, systemRng } from '@reins/shared/util/rng';
import { HttpRefusal } from '../link/http';
import { describeError, type Logger } from '../log/logger';
import { readCredentials, writeCredentials } from './credentials-file';

export interface RotationOptions {
  /** Fetches a new secret and connects with it from then on. */
  rotateSecret: (signal: AbortSignal) => Promise<string>;
  /** Where the secret is kept; undefined where it comes from the environment, which nobody can change from here. */
  file: string | undefined;
  log: Logger;
  clock?: Clock;
  rng?: Rng;
}

const RETRY_BASE_MS = 500;
const RETRY_CAP_MS = 30_000;

/** Replaces the agent's secret when the controller's configuration asks for it. */
export class Rotation {
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private handled: string | undefined;

  constructor(private readonly options: RotationOptions) {}

  /** Given what every configuration says; does the work of each request once, in the background. */
  wanted(requestedAt: string | undefined): void {
    if (requestedAt === undefined || requestedAt === this.handled || this.running !== undefined) return;
    this.handled = requestedAt;
    const { file, log } = this.options;
    if (file === undefined) {
      log.warn(
        'the credentials cannot be rotated: they come from the environment; regenerate them and change AIWM_AGENT_SECRET',
        { requestedAt },
      );
      return;
    }
    this.running = this.rotate(file)
      .catch((error: unknown) => {
        if (!this.stopped.signal.aborted)
          log.error('the credentials were not rotated', { reason: describeError(error) });
      })
      .finally(() => (this.running = undefined));
  }

  /** Gives up what is under way; the secret before goes on working for the overlap. */
  async stop(): Promise<void> {
    this.stopped.abort(new Error('the harness is stopping'));
    await this.running;
  }

  private async rotate(file: string): Promise<void> {
    const { rotateSecret, log } = this.options;
    const secret = await this.untilDone('a new secret', () => rotateSecret(this.stopped.signal), isFinal);
    // Written however long the disk is full: once the overlap is over, a restart without the new secret is locked out.
    await this.untilDone('writing the new secret down', () => this.write(file, secret));
    log.info('the credentials were rotated');
  }

  private write(file: string, secret: string): void {
    const stored = readCredentials(file);
    if (stored === undefined) throw new Error(`${file} is gone`);
    writeCredentials(file, { ...stored, secret, rotatedAt: new Date().toISOString() });
  }

  private async untilDone<T>(
    what: string,
    act: () => Promise<T> | T,
    isHopeless: (error: unknown) => boolean = () => false,
  ): Promise<T> {
    const { log, clock = systemClock, rng = systemRng } = this.options;
    const { signal } = this.stopped;
    for (let attempt = 1; ; attempt++) {
      try {
        return await act();
      } catch (error) {
        signal.throwIfAborted();
        if (isHopeless(error)) throw error;
        const waitMs = backoffMs(attempt, RETRY_BASE_MS, RETRY_CAP_MS, rng);
        log.error(`${what} failed; trying again`, { attempt, waitMs, reason: describeError(error) });
        await clock.sleep(waitMs, signal);
      }
    }
  }
}

/** A token that has just ended is replaced by the link; any other refusal will not change. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof HttpRefusal) || error.status >= 500) return false;
  if (error.status === 401) return error.code === 'invalid_credentials';
  return ![408, 409, 429].includes(error.status);
}
