import { type Command, type Heartbeat, type HeartbeatAck } from '@reins/shared/link/frames';
import { type Clock } from '@reins/shared/util/clock';
import { type Interval, startInterval } from '@reins/shared/util/interval';
import { LinkDown } from '../link/link-errors';
import { describeError, type Logger } from '../log/logger';
import { type ClientCounters } from '../metrics/counters';
import { type Session } from '../sessions/session';
import { ProcessMetrics } from './process-metrics';

export interface HeartbeatLoopOptions {
  sessions: () => readonly Session[];
  configVersion: () => string;
  send: (body: Heartbeat) => Promise<HeartbeatAck>;
  isUp: () => boolean;
  onCommand: (command: Command) => void;
  onConfigVersion: (version: string) => void;
  counters: ClientCounters;
  log: Logger;
  clock: Clock;
}

/** Says that the harness lives and what its turns do; the answer renews leases and carries what was missed. */
export class HeartbeatLoop {
  private interval: Interval | undefined;
  private readonly metrics: ProcessMetrics;

  constructor(private readonly options: HeartbeatLoopOptions) {
    this.metrics = new ProcessMetrics(options.clock);
  }

  start(everyMs: number): void {
    this.interval ??= startInterval({
      everyMs,
      jitter: 0.1,
      clock: this.options.clock,
      run: () => this.beat(),
      onError: (error) => this.failed(error),
    });
  }

  /** Beats now instead of at the next turn of the clock. */
  trigger(): void {
    this.interval?.trigger();
  }

  async stop(): Promise<void> {
    await this.interval?.stop();
  }

  private async beat(): Promise<void> {
    const { options } = this;
    if (!options.isUp()) return options.counters.heartbeatFailed(new LinkDown().message);
    const sessions = options.sessions();
    const sentAt = options.clock.monotonic();
    const ack = await options.send(this.body(sessions));
    options.counters.heartbeatSucceeded();
    for (const lease of ack.leases) {
      for (const session of sessions) {
        if ('fenced' in lease) session.fence(lease.turnId);
        else session.renew(lease.turnId, lease.generation, sentAt);
      }
    }
    for (const session of sessions) session.channel.setCredit(ack.credit);
    ack.commands.forEach(options.onCommand);
    options.onConfigVersion(ack.configVersion);
  }

  /** What every heartbeat says, whichever way it goes. */
  vitals(): Pick<Heartbeat, 'status' | 'metrics'> {
    const sessions = this.options.sessions();
    const running = sessions.reduce((sum, session) => sum + session.runningTurns, 0);
    return {
      status: running > 0 ? 'busy' : 'idle',
      metrics: {
        ...this.metrics.read(),
        activeSessions: sessions.length,
        queueDepth: sessions.reduce((sum, session) => sum + session.channel.depth, 0),
      },
    };
  }

  /** Never fatal: the next one is sent all the same. */
  private failed(error: unknown): void {
    const reason = describeError(error);
    this.options.counters.heartbeatFailed(reason);
    this.options.log.warn('heartbeat failed', { reason });
  }

  private body(sessions: readonly Session[]): Heartbeat {
    return {
      ...this.vitals(),
      alive: true,
      turns: sessions.flatMap((session) =>
        session.liveTurns.map((turn) => {
          const pid = session.pidOf(turn.lane);
          return {
            sessionId: session.id,
            turnId: turn.id,
            generation: turn.generation,
            progress: { lastOutputAt: turn.lastOutputAt, state: turn.state, ...(pid === undefined ? {} : { pid }) },
          };
        }),
      ),
      lastCommand: Object.fromEntries(sessions.map((session) => [session.id, session.lastCommand])),
      configVersion: this.options.configVersion(),
    };
  }
}
