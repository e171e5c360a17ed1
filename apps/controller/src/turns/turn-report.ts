import { Injectable, Logger } from '@nestjs/common';
import { Metrics } from '../metrics/metrics';
import { type TurnDocument } from './turn.schema';

/** Says how turns go: one wide log line for each that ended, and counters over all. */
@Injectable()
export class TurnReport {
  private readonly logger = new Logger('Turn');
  private readonly ended;
  private readonly waited;
  private readonly worked;
  private readonly ignored;

  constructor(metrics: Metrics) {
    this.ended = metrics.counter('reins_turns_ended_total', 'Turns that ended, by how', ['status', 'cli_type']);
    this.waited = metrics.histogram('reins_turn_queue_seconds', 'From the prompt to the start of the agent');
    this.worked = metrics.histogram('reins_turn_duration_seconds', 'From the start of the agent to its end', [
      'cli_type',
    ]);
    this.ignored = metrics.counter('reins_events_ignored_total', 'Events of harnesses that were not taken, by reason', [
      'reason',
    ]);
  }

  turnEnded(turn: TurnDocument): void {
    const { _id: turnId, sessionId, lane, status, attempt, cliType, agentId, result } = turn;
    const queueMs = between(turn.createdAt, turn.startedAt);
    const durationMs = between(turn.startedAt, turn.completedAt);
    this.ended.inc({ status, cli_type: cliType });
    if (queueMs !== null) this.waited.observe(queueMs / 1000);
    if (durationMs !== null) this.worked.observe({ cli_type: cliType }, durationMs / 1000);
    const { stopReason, tokensIn, tokensOut } = result ?? {};
    const facts = { turnId, sessionId, lane, agentId, cliType, attempt, status, stopReason, queueMs, durationMs };
    this.logger.log({ ...facts, tokensIn, tokensOut }, 'turn ended');
  }

  eventIgnored(reason: 'unknown_type' | 'invalid' | 'fenced'): void {
    this.ignored.inc({ reason });
  }
}

function between(from: Date | null, to: Date | null): number | null {
  return from === null || to === null ? null : to.getTime() - from.getTime();
}
