import { type Hello, type PulledTurn } from '@reins/shared/link/frames';
import { type Clock, isoTime } from '@reins/shared/util/clock';
import { type Lease } from './lease';

/** Who wants a turn to stop, which decides how it is reported. `fenced`: it is no longer ours, so not at all. */
export type StopCause = 'abort' | 'timeout' | 'drain' | 'end' | 'fenced';

class StopRequest extends Error {
  override readonly name = 'StopRequest';
  constructor(readonly by: StopCause) {
    super(by);
  }
}

/** leased: not yet reported as started. running: the agent works. finishing: its end is on the way to the controller. */
export type LiveTurnState = 'leased' | 'running' | 'finishing';

/** A turn from its lease until its terminal event is acknowledged. */
export class LiveTurn {
  state: LiveTurnState = 'leased';
  lastOutputAt: string | null = null;
  private readonly controller = new AbortController();
  private fenced = false;

  constructor(
    readonly pulled: PulledTurn,
    readonly lease: Lease,
    private readonly clock: Clock,
  ) {}

  get id(): string {
    return this.pulled.turnId;
  }

  get generation(): number {
    return this.pulled.generation;
  }

  get lane(): string {
    return this.pulled.subsessionId ?? 'main';
  }

  /** Aborts when somebody wants the turn to stop. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get stopCause(): StopCause | undefined {
    const reason: unknown = this.controller.signal.reason;
    return reason instanceof StopRequest ? reason.by : undefined;
  }

  /** Somebody else has the turn now: nothing of it may be published any more. */
  get isFenced(): boolean {
    return this.fenced;
  }

  /** What a new connection hears of it. */
  hello(cliSessionId: string | undefined): Hello['sessions'][number]['turns'][number] {
    return {
      turnId: this.id,
      generation: this.generation,
      state: this.state === 'leased' ? 'leased' : 'running',
      ...(cliSessionId === undefined ? {} : { cliSessionId }),
    };
  }

  stop(cause: StopCause): void {
    if (cause === 'fenced') this.fenced = true;
    this.controller.abort(new StopRequest(cause));
  }

  noteOutput(): void {
    this.lastOutputAt = isoTime(this.clock.now());
  }
}
