import { type Command, type Heartbeat, type HeartbeatAck } from '@reins/shared/link/frames';
import { type Clock } from '@reins/shared/util/clock';
import { type Interval, startInterval } from '@reins/shared/util/interval';
import { describeError, type Logger } from '../log/logger';
import { type Session } from '../sessions/session';
import { ProcessMetrics } from './process-metrics';

export interface HeartbeatLoopOptions {
  sessions: () => readonly Session[];
  configVersion: () => string;
  send: (body: Heartbeat) => Promise<HeartbeatAck>;
  isUp: () => boolean;
  onCommand: (command: Command) => void;
  onConfigVersion: (version: string) => void;
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
      onError: (error) => this.options.log.warn('heartbeat failed', { reason: describeError(error) }),
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
    if (!options.isUp()) return;
    const sessions = options.sessions();
    const sentAt = options.clock.monotonic();
    const ack = await options.send(this.body(sessions));
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

  private body(sessions: readonly Session[]): Heartbeat {
    const running = sessions.reduce((sum, session) => sum + session.runningTurns, 0);
    return {
      status: running > 0 ? 'busy' : 'idle',
      alive: true,
      metrics: {
        ...this.metrics.read(),
        activeSessions: sessions.length,
        queueDepth: sessions.reduce((sum, session) => sum + session.channel.depth, 0),
      },
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
