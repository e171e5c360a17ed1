import { Injectable, Logger } from '@nestjs/common';
import { type TurnPullAck } from '@reins/shared/link/frames';
import { LINK } from '@reins/shared/link/limits';
import { isoTime } from '@reins/shared/util';
import { type OrgScope } from '../access/principal';
import { Bus } from '../bus/bus';
import { Config } from '../config/config';
import { Replicas } from '../replicas/replicas';
import { LiveTurns } from './live-turns';
import { type TurnDocument } from './turn.schema';
import { type LeaseHolder, TurnsRepository } from './turns.repository';

/** How often a lane found busy in the database but not here makes the pull look again. */
const CONTENDED_TRIES = 5;

interface Waiter {
  sessions: ReadonlySet<string>;
  wake: () => void;
}

/** Hands queued turns to the harnesses that pull: at once where one is waiting, else when it asks. */
@Injectable()
export class TurnQueue {
  private readonly logger = new Logger('TurnQueue');
  private readonly waiters = new Map<string, Set<Waiter>>();
  private draining = false;

  constructor(
    private readonly turns: TurnsRepository,
    private readonly liveTurns: LiveTurns,
    private readonly replicas: Replicas,
    private readonly config: Config,
    bus: Bus,
  ) {
    bus.subscribe('turn.queued', ({ sessionId }) => this.wake(sessionId));
  }

  /**
   * The next turn for one of the sessions, or none after the hold. The turn is leased to the holder when it is returned;
   * if that answer gets lost the lease runs out and the turn is queued again.
   */
  async pull(
    scope: OrgScope,
    sessions: readonly string[],
    holder: LeaseHolder,
    signal: AbortSignal,
  ): Promise<TurnPullAck> {
    const deadline = performance.now() + LINK.pullHoldMs;
    while (!signal.aborted && !this.draining) {
      // Listen first, look second: a turn queued in between rings.
      const rung = this.listen(sessions, deadline - performance.now(), signal);
      try {
        const turn = await this.leaseFrom(scope, sessions, holder);
        if (turn !== undefined) return { turn: pulled(turn) };
        if (!(await rung.promise)) break;
      } finally {
        rung.cancel();
      }
    }
    return { none: true, retryAfterMs: this.draining ? LINK.reconnectMaxMs : 0 };
  }

  /** Whether a harness holds a pull open for the session here. */
  isAwaited(sessionId: string): boolean {
    return this.waiters.has(sessionId);
  }

  /** Answers every held pull and leases nothing more: the controller is leaving. */
  drain(): void {
    this.draining = true;
    for (const waiters of this.waiters.values()) for (const waiter of waiters) waiter.wake();
  }

  /** Has the pulls held open here for the session look again. */
  wake(sessionId: string): void {
    for (const waiter of this.waiters.get(sessionId) ?? []) waiter.wake();
  }

  private async leaseFrom(
    scope: OrgScope,
    sessions: readonly string[],
    holder: LeaseHolder,
  ): Promise<TurnDocument | undefined> {
    for (const sessionId of sessions) {
      const turn = await this.lease(scope, sessionId, holder);
      if (turn !== undefined) return turn;
    }
    return undefined;
  }

  private async lease(scope: OrgScope, sessionId: string, holder: LeaseHolder): Promise<TurnDocument | undefined> {
    const { LEASE_MS, START_WITHIN_MS } = this.config.env;
    let busy = this.liveTurns.busyLanes(sessionId);
    for (let tries = 0; tries < CONTENDED_TRIES; tries++) {
      const now = Date.now();
      const times = { leaseUntil: new Date(now + LEASE_MS), startBy: new Date(now + START_WITHIN_MS) };
      const turn = await this.turns.lease(scope, sessionId, busy, holder, times);
      if (turn !== 'contended' && turn !== undefined) {
        this.liveTurns.add(turn);
        return turn;
      }
      if (turn === undefined && (busy.length === 0 || tries > 0 || !this.replicas.hadCompany)) return undefined;
      // Another controller may have ended what is believed to be live here.
      const live = await this.turns.live(scope, sessionId);
      this.liveTurns.keepOnly(
        sessionId,
        live.map(({ _id }) => _id),
      );
      const lanes = live.map(({ lane }) => lane);
      if (turn === undefined && busy.every((lane) => lanes.includes(lane))) return undefined;
      busy = lanes;
    }
    this.logger.warn({ sessionId }, 'lanes kept changing during a pull; the next one will find the turn');
    return undefined;
  }

  /** A promise of being woken (true), or of the time running out or the signal aborting (false). */
  private listen(
    sessions: readonly string[],
    ms: number,
    signal: AbortSignal,
  ): { promise: Promise<boolean>; cancel: () => void } {
    let settle: (woken: boolean) => void = () => undefined;
    const promise = new Promise<boolean>((resolve) => (settle = resolve));
    const waiter: Waiter = { sessions: new Set(sessions), wake: () => settle(true) };
    const timer = setTimeout(() => settle(false), Math.max(0, ms));
    const onAbort = (): void => settle(false);
    signal.addEventListener('abort', onAbort, { once: true });
    for (const sessionId of waiter.sessions) {
      const waiters = this.waiters.get(sessionId) ?? new Set();
      this.waiters.set(sessionId, waiters.add(waiter));
    }
    const cancel = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      for (const sessionId of waiter.sessions) {
        const waiters = this.waiters.get(sessionId);
        waiters?.delete(waiter);
        if (waiters?.size === 0) this.waiters.delete(sessionId);
      }
    };
    return { promise, cancel };
  }
}

/** Where a harness fetches a prompt that is too long for the socket. */
export function promptPath(sessionId: string, turnId: string): string {
  return `/sessions/${sessionId}/turns/${turnId}/prompt`;
}

function pulled(turn: TurnDocument): Extract<TurnPullAck, { turn: unknown }>['turn'] {
  const long = Buffer.byteLength(turn.prompt) > LINK.inlineBytes;
  return {
    turnId: turn._id,
    sessionId: turn.sessionId,
    generation: turn.generation,
    ...(turn.lane === 'main' ? {} : { subsessionId: turn.lane }),
    prompt: long ? '' : turn.prompt,
    ...(long ? { promptUrl: promptPath(turn.sessionId, turn._id) } : {}),
    ...(turn.breadcrumbs.length > 0 ? { breadcrumbs: turn.breadcrumbs } : {}),
    timeoutMs: turn.timeoutMs,
    leaseUntil: isoTime(turn.leaseUntil?.getTime() ?? 0),
    startBy: isoTime(turn.startBy?.getTime() ?? 0),
  };
}
