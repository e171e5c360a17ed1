import { type PulledTurn, type TurnPull, type TurnPullAck } from '@reins/shared/link/frames';
import { type Clock } from '@reins/shared/util/clock';
import { type Rng } from '@reins/shared/util/rng';
import { LinkRefusal } from '../link/link-errors';
import { describeError, type Logger } from '../log/logger';

export interface PullerOptions {
  /** What could be pulled now; undefined while there is no link, no ready session or no free lane. */
  wanted: () => TurnPull | undefined;
  pull: (body: TurnPull) => Promise<TurnPullAck>;
  onTurn: (turn: PulledTurn) => void;
  log: Logger;
  clock: Clock;
  rng: Rng;
}

const FAILURE_DELAY_MS = 500;
/** More would only be held for nothing: two arise when a session becomes ready while another's pull is held. */
const MAX_HELD = 4;

/** Keeps a `turn.pull` held at the controller for as long as there is a free lane. */
export class Puller {
  private held = 0;
  private asked: string | undefined;
  private rest = new AbortController();
  private resting = false;
  private stopped = false;

  constructor(private readonly options: PullerOptions) {}

  /** Something changed: a connection, a session, a lane, or the controller's doorbell. */
  kick(): void {
    this.rest.abort();
    this.advance();
  }

  stop(): void {
    this.stopped = true;
    this.rest.abort();
  }

  private advance(): void {
    if (this.stopped || this.resting || this.held >= MAX_HELD) return;
    const body = this.options.wanted();
    if (body === undefined) return;
    const asked = body.sessions.join();
    // One held pull is enough unless it asks for other sessions than are ready now.
    if (this.held > 0 && asked === this.asked) return;
    this.asked = asked;
    this.held++;
    void this.ask(body);
  }

  private async ask(body: TurnPull): Promise<void> {
    let waitMs = 0;
    try {
      const answer = await this.options.pull(body);
      if ('turn' in answer) this.options.onTurn(answer.turn);
      else waitMs = answer.retryAfterMs * (0.5 + this.options.rng.next() / 2);
    } catch (error) {
      this.options.log.debug('the pull ended without an answer', { reason: describeError(error) });
      const given = error instanceof LinkRefusal ? error.retryAfterMs : undefined;
      waitMs = given ?? FAILURE_DELAY_MS * (0.5 + this.options.rng.next() / 2);
    }
    this.held--;
    if (waitMs > 0 && !this.stopped && this.held === 0) await this.pause(waitMs);
    this.advance();
  }

  private async pause(ms: number): Promise<void> {
    this.rest = new AbortController();
    this.resting = true;
    await this.options.clock.sleep(ms, this.rest.signal).catch(() => undefined);
    this.resting = false;
  }
}
