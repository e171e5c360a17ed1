import { Injectable, Logger, type OnApplicationBootstrap, type BeforeApplicationShutdown } from '@nestjs/common';
import { type Interval, isoTime, startInterval } from '@reins/shared/util';
import { orgScope } from '../access/principal';
import { Config } from '../config/config';
import { Leadership } from '../replicas/leadership';
import { TurnLifecycle } from './turn-lifecycle';
import { type TurnDocument } from './turn.schema';
import { TurnsRepository } from './turns.repository';

const LOOK_EVERY_MS = 500;
const REPAIR_EVERY_MS = 10_000;
/** Longer than a harness needs to come back and send its last words itself. */
const REPAIR_AFTER_MS = 30_000;
const MOST_LIVE = 10_000;
const AT_ONCE = 16;
/** A harness gets this long past a turn's time limit to end it itself. */
const TIMEOUT_GRACE_MS = 15_000;

/** What is due for a live turn: nothing, or how it is taken from its holder. */
export type Due =
  | { action: 'none' }
  | { action: 'requeue'; reason: string }
  | { action: 'cancel'; reason: string }
  | { action: 'timeout'; reason: string }
  | { action: 'interrupt'; reason: string };

export interface WatchLimits {
  lostAfterMs: number;
  leaseMs: number;
  abortGraceMs: number;
}

/** Decides by server time alone; the harness's clock plays no part. */
export function due(turn: TurnDocument, now: number, limits: WatchLimits): Due {
  const past = (at: Date | null, graceMs: number): boolean => at !== null && at.getTime() + graceMs < now;
  if (past(turn.cancelRequestedAt, limits.abortGraceMs)) {
    return { action: 'cancel', reason: 'aborted; no harness confirmed it in time' };
  }
  if (turn.status === 'leased' && past(turn.startBy, 0)) {
    return { action: 'requeue', reason: 'it was not started in time' };
  }
  // The lease was renewed with the last beat, so it ends leaseMs after it.
  if (past(turn.leaseUntil, limits.lostAfterMs - limits.leaseMs)) {
    return { action: 'interrupt', reason: `the harness did not come back within ${limits.lostAfterMs / 1000} s` };
  }
  if (turn.status === 'running' && past(turn.startedAt, turn.timeoutMs + TIMEOUT_GRACE_MS)) {
    return { action: 'timeout', reason: `the agent did not finish within ${turn.timeoutMs / 1000} s` };
  }
  return { action: 'none' };
}

/** Looks after turns whose harness no longer does: late starts, unconfirmed aborts, lost harnesses, time limits. */
@Injectable()
export class TurnWatch implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('TurnWatch');
  private loop: Interval | undefined;
  private repairedAt = 0;

  constructor(
    private readonly turns: TurnsRepository,
    private readonly lifecycle: TurnLifecycle,
    private readonly leadership: Leadership,
    private readonly config: Config,
  ) {}

  onApplicationBootstrap(): void {
    this.loop = startInterval({
      everyMs: LOOK_EVERY_MS,
      run: () => this.look(),
      onError: (error) => this.logger.warn({ err: error }, 'the watch over turns failed; it goes on'),
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop?.stop();
  }

  private async look(): Promise<void> {
    if (!this.leadership.isLeader()) return;
    const { LOST_AFTER_MS, LEASE_MS, ABORT_GRACE_MS } = this.config.env;
    const limits = { lostAfterMs: Math.max(LOST_AFTER_MS, LEASE_MS), leaseMs: LEASE_MS, abortGraceMs: ABORT_GRACE_MS };
    const now = Date.now();
    const late = (await this.turns.allLive(MOST_LIVE)).flatMap((turn) => {
      const verdict = due(turn, now, limits);
      return verdict.action === 'none' ? [] : [{ turn, verdict }];
    });
    // A host that is lost takes many turns with it, and none of them should wait for all the others.
    for (let from = 0; from < late.length; from += AT_ONCE) {
      await Promise.all(late.slice(from, from + AT_ONCE).map(({ turn, verdict }) => this.act(turn, verdict)));
    }
    if (now - this.repairedAt > REPAIR_EVERY_MS) {
      this.repairedAt = now;
      await this.lifecycle.repair(new Date(now - REPAIR_AFTER_MS));
    }
  }

  private async act(turn: TurnDocument, verdict: Exclude<Due, { action: 'none' }>): Promise<void> {
    const scope = orgScope(turn.orgId);
    const ids = { sessionId: turn.sessionId, turnId: turn._id };
    this.logger.warn({ ...ids, at: isoTime(Date.now()) }, `${verdict.action} of a turn: ${verdict.reason}`);
    switch (verdict.action) {
      case 'requeue':
        return this.lifecycle.requeue(scope, turn, false, verdict.reason);
      case 'cancel':
        return this.lifecycle.endWithout(scope, turn, 'cancelled', 'aborted', verdict.reason);
      case 'timeout':
        return this.lifecycle.endWithout(scope, turn, 'failed', 'timeout', verdict.reason);
      case 'interrupt':
        return this.lifecycle.interrupt(scope, turn, 'harness_lost', verdict.reason);
    }
  }
}
