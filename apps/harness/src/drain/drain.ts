import { type FrameBody } from '@reins/shared/link/socket-events';
import { type Clock } from '@reins/shared/util/clock';
import { describeError, type Logger } from '../log/logger';
import { type Session } from '../sessions/session';

export interface DrainOptions {
  /** How long it may take, the last events included. */
  drainMs: number;
  /** Tells the controller; rejects where it does not hear. */
  tell: (body: FrameBody<'draining'>) => Promise<unknown>;
  /** No work is taken from now on. */
  refuseWork: () => void;
  sessions: () => readonly Session[];
  /** What works beside the sessions gets so long to end, and is left to itself when it must go quicker. */
  endBeside: (graceMs: number) => Promise<unknown>;
  log: Logger;
  clock: Clock;
}

/** Kept of the drain time for interrupting turns and for the last events. */
const RESERVE_MS = 2_000;

/**
 * How a harness leaves: no new turns, those that run may finish in time, then they are interrupted, the work is
 * committed and the events are sent. Whatever comes meanwhile can only make it quicker.
 */
export class Drain {
  private readonly hurried = new AbortController();
  private going: Promise<boolean> | undefined;
  private said: FrameBody<'draining'> | undefined;

  constructor(private readonly options: DrainOptions) {}

  get isGoing(): boolean {
    return this.going !== undefined;
  }

  /** Answers whether the controller has every event. `withinMs`: less time than usual. */
  run(reason: string, withinMs = Infinity): Promise<boolean> {
    return (this.going ??= this.leave(reason, Math.max(0, Math.min(this.options.drainMs, withinMs))));
  }

  /** Now: what still runs is interrupted, and only the last events are waited for. */
  hurry(): void {
    this.hurried.abort();
  }

  /** Says it on a new connection too: the controller forgets it with the old one. */
  async tell(): Promise<void> {
    if (this.said === undefined) return;
    await this.options
      .tell(this.said)
      .catch((error: unknown) => this.options.log.debug('draining was not heard', { reason: describeError(error) }));
  }

  private async leave(reason: string, drainMs: number): Promise<boolean> {
    const { refuseWork, endBeside, log } = this.options;
    const hurry = this.hurried.signal;
    refuseWork();
    log.info('draining', { reason, deadlineMs: drainMs });
    this.said = { reason, deadlineMs: drainMs };
    await this.tell();
    const sessions = this.options.sessions();
    const graceMs = Math.max(0, drainMs - RESERVE_MS);
    await Promise.all([
      Promise.race([endBeside(graceMs), aborted(hurry)]),
      ...sessions.map((session) => session.quiesce('drain', graceMs, hurry)),
    ]);
    if (!hurry.aborted) await Promise.all(sessions.map((session) => this.preserve(session)));
    const flushed = await Promise.all(sessions.map((session) => session.flush(RESERVE_MS)));
    const isSent = !flushed.includes(false);
    if (!isSent) log.warn('some events did not reach the controller and stay on disk for the next process');
    return isSent;
  }

  private async preserve(session: Session): Promise<void> {
    await session.preserve().catch((error: unknown) => {
      this.options.log.error('a session could not be left in order', {
        sessionId: session.id,
        reason: describeError(error),
      });
    });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
