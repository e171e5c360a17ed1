import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { type AbortRequest, type PromptRequest } from '@reins/shared/api/sessions';
import { type LiveTurn as ReportedTurn } from '@reins/shared/link/frames';
import { isoTime } from '@reins/shared/util';
import { isTerminal } from '@reins/shared/state';
import { newId } from '@reins/shared/ids';
import { type OrgScope } from '../access/principal';
import { Bus } from '../bus/bus';
import { Config } from '../config/config';
import { type Page } from '../database/tenant.repository';
import { EventLog } from '../events/event-log';
import { type NewEvent } from '../events/log-event';
import { IdempotencyService } from '../idempotency/idempotency.service';
import { eventOf, isUnlogged, TurnLifecycle } from './turn-lifecycle';
import { type TurnDocument } from './turn.schema';
import { type LeaseHolder, type TurnTotals, TurnsRepository } from './turns.repository';

export const MAIN_LANE = 'main';

/** What a new turn takes over from its session. */
export interface TurnContext {
  sessionId: string;
  cliType: string;
  turnIdleMs: number;
  onInterrupt: TurnDocument['onInterrupt'];
  actor: string;
}

/** An abort that a harness has to carry out. */
export interface CancelOrder {
  turnId: string;
}

@Injectable()
export class TurnsService {
  private lastOrder = 0;

  constructor(
    private readonly turns: TurnsRepository,
    private readonly lifecycle: TurnLifecycle,
    private readonly log: EventLog,
    private readonly idempotency: IdempotencyService,
    private readonly bus: Bus,
    private readonly config: Config,
  ) {}

  /** Queues a prompt; durable when it resolves. The same Idempotency-Key gives the same turn. */
  async create(
    scope: OrgScope,
    context: TurnContext,
    request: PromptRequest,
    idempotencyKey: string | undefined,
  ): Promise<TurnDocument> {
    const place = context.sessionId;
    const turnId = await this.idempotency.reserve(scope, place, idempotencyKey, request, newId('turn'));
    const { seqTo } = await this.log.tail(scope, context.sessionId);
    const timeoutSeconds = request.timeout ?? this.config.env.TURN_TIMEOUT_SECONDS;
    const { turn, created } = await this.turns.create(scope, {
      _id: turnId,
      ...context,
      lane: request.subsessionId ?? MAIN_LANE,
      order: this.nextOrder(),
      status: 'queued',
      generation: 0,
      attempt: 1,
      agentId: null,
      incarnation: null,
      leaseUntil: null,
      startBy: null,
      prompt: request.prompt,
      breadcrumbs: request.breadcrumbs ?? [],
      timeoutMs: Math.round(timeoutSeconds * 1000),
      afterSeq: seqTo,
      createdAt: new Date(),
      startedAt: null,
      completedAt: null,
      cancelRequestedAt: null,
      stalledAt: null,
      result: null,
    });
    if (!created) return turn;
    // The harness that waits comes first: its lease is under way when the event is written, and whatever the harness says
    // of the turn comes after both.
    this.bus.publish('turn.queued', { orgId: scope.orgId, sessionId: turn.sessionId });
    await nextTurnOfLoop();
    await this.log.append(scope, turn.sessionId, [eventOf('turn.queued', turn, { attempt: 1, lane: turn.lane })]);
    return turn;
  }

  async get(scope: OrgScope, sessionId: string, turnId: string): Promise<TurnDocument> {
    const turn = await this.turns.get(scope, turnId);
    if (turn === undefined || turn.sessionId !== sessionId) throw new ReinsError('turn_not_found');
    return turn;
  }

  async laneOf(scope: OrgScope, sessionId: string, turnId: string): Promise<string> {
    return (await this.get(scope, sessionId, turnId)).lane;
  }

  list(scope: OrgScope, sessionId: string, page: Page): Promise<{ items: TurnDocument[]; total: number }> {
    return this.turns.list(scope, sessionId, page);
  }

  totals(scope: OrgScope, sessionId: string): Promise<TurnTotals> {
    return this.turns.totals(scope, sessionId);
  }

  /** The turn once it has ended; resolves at once where it has. Rejects when the signal aborts. */
  async ended(scope: OrgScope, turn: TurnDocument, signal: AbortSignal): Promise<TurnDocument> {
    let look = new AbortController();
    const unsubscribe = this.log.subscribe(scope, turn.sessionId, {
      onEvents: (events) => {
        if (events.some(({ event }) => event.turnId === turn._id && event.type === 'turn.completed')) look.abort();
      },
      // Another controller wrote what was not told here: it may have been the end.
      onTail: () => look.abort(),
    });
    try {
      for (;;) {
        const rung = AbortSignal.any([look.signal, signal]);
        const now = await this.get(scope, turn.sessionId, turn._id);
        if (isTerminal(now.status)) return now;
        await aborted(rung);
        signal.throwIfAborted();
        look = new AbortController();
      }
    } finally {
      unsubscribe();
    }
  }

  /**
   * Aborts what the request names; durable when it resolves. Queued turns end at once; live ones are noted and returned,
   * for their harness to be told. Nothing to abort is fine.
   */
  async cancel(scope: OrgScope, sessionId: string, request: AbortRequest): Promise<CancelOrder[]> {
    const { requestId, scope: extent } = request;
    const lane = request.subsessionId ?? MAIN_LANE;
    const within = (turn: TurnDocument): boolean =>
      requestId !== undefined ? turn._id === requestId : extent === 'session' || turn.lane === lane;
    if (requestId !== undefined) await this.get(scope, sessionId, requestId);

    const live = (await this.turns.live(scope, sessionId)).filter(within);
    const orders: CancelOrder[] = [];
    for (const turn of live) {
      if (await this.turns.requestCancel(scope, turn._id, new Date())) orders.push({ turnId: turn._id });
    }
    if (extent === 'turn' && requestId === undefined && live.length > 0) return orders;
    for (const turn of (await this.turns.queued(scope, sessionId)).filter(within)) {
      await this.lifecycle.endWithout(scope, turn, 'cancelled', 'aborted', 'aborted while it waited in the queue');
    }
    return orders;
  }

  /** Gives every queued and live turn of a session its end: nothing will run in it any more. */
  async cancelAll(scope: OrgScope, sessionId: string, stopReason: string, message: string): Promise<void> {
    for (const turn of [...(await this.turns.live(scope, sessionId)), ...(await this.turns.queued(scope, sessionId))]) {
      await this.lifecycle.endWithout(scope, turn, 'cancelled', stopReason, message);
    }
  }

  /** The harness of these turns is gone for good. */
  async interruptAll(
    scope: OrgScope,
    sessionId: string,
    agentId: string,
    stopReason: string,
    message: string,
  ): Promise<void> {
    for (const turn of await this.turns.live(scope, sessionId)) {
      if (turn.agentId === agentId) await this.lifecycle.interrupt(scope, turn, stopReason, message);
    }
  }

  async hasLive(scope: OrgScope, sessionId: string): Promise<boolean> {
    return (await this.turns.live(scope, sessionId)).length > 0;
  }

  async hasQueued(scope: OrgScope, sessionId: string): Promise<boolean> {
    return (await this.turns.queued(scope, sessionId)).length > 0;
  }

  /**
   * A harness is back and says which turns it still works on. Those go on under a fresh lease; what it holds wrongly it
   * is told to abandon, and what it should hold but lost with its former process is interrupted.
   */
  async reattach(
    scope: OrgScope,
    sessionId: string,
    holder: LeaseHolder,
    reported: readonly ReportedTurn[],
  ): Promise<{ turnId: string; generation: number; verdict: 'continue' | 'abandon' }[]> {
    const leaseUntil = new Date(Date.now() + this.config.env.LEASE_MS);
    const kept = await this.turns.renew(scope, holder.agentId, reported, leaseUntil);
    for (const turn of await this.turns.live(scope, sessionId)) {
      if (turn.agentId !== holder.agentId || kept.some(({ _id }) => _id === turn._id)) continue;
      // Just leased to this very process, its answer still on the way.
      if (turn.incarnation === holder.incarnation && turn.status === 'leased') continue;
      const message = 'the harness was restarted and no longer has the turn';
      await this.lifecycle.interrupt(scope, turn, 'harness_restarted', message);
    }
    return Promise.all(
      reported.map(async ({ turnId, generation }) => {
        const going = kept.some((turn) => turn._id === turnId && turn.generation === generation);
        // Ended, but a crash kept its last words from the log: its harness is to send them again.
        const ended = going ? undefined : await this.turns.get(scope, turnId);
        const goesOn = going || (ended !== undefined && isUnlogged(ended, generation));
        return { turnId, generation, verdict: goesOn ? ('continue' as const) : ('abandon' as const) };
      }),
    );
  }

  /** Renews the leases a heartbeat names and notes agents that have been silent for too long. */
  async renew(
    scope: OrgScope,
    agentId: string,
    beats: readonly {
      sessionId: string;
      turnId: string;
      generation: number;
      progress: { lastOutputAt: string | null };
    }[],
  ): Promise<({ turnId: string; generation: number; leaseUntil: string } | { turnId: string; fenced: true })[]> {
    const leaseUntil = new Date(Date.now() + this.config.env.LEASE_MS);
    const held = await this.turns.renew(scope, agentId, beats, leaseUntil);
    for (const turn of held) {
      const beat = beats.find(({ turnId }) => turnId === turn._id);
      if (beat !== undefined) await this.watchSilence(scope, turn, beat.progress.lastOutputAt);
    }
    return beats.map(({ turnId, generation }) =>
      held.some(({ _id }) => _id === turnId)
        ? { turnId, generation, leaseUntil: isoTime(leaseUntil.getTime()) }
        : { turnId, fenced: true as const },
    );
  }

  private async watchSilence(scope: OrgScope, turn: TurnDocument, lastOutputAt: string | null): Promise<void> {
    if (turn.status !== 'running') return;
    const last = Math.max(turn.startedAt?.getTime() ?? 0, lastOutputAt === null ? 0 : Date.parse(lastOutputAt));
    const silentMs = Date.now() - last;
    const stalled = silentMs > turn.turnIdleMs;
    if (stalled === (turn.stalledAt !== null)) return;
    if (!(await this.turns.markStalled(scope, turn._id, turn.generation, stalled ? new Date() : null))) return;
    if (!stalled) return;
    const event: NewEvent = eventOf('turn.stalled', turn, { silentMs, lastOutputAt: isoTime(last) });
    await this.log.append(scope, turn.sessionId, [event]);
  }

  /** Rises strictly, also within a millisecond; wall time keeps it in step over restarts. */
  private nextOrder(): number {
    this.lastOrder = Math.max(this.lastOrder + 1, Date.now() * 1000);
    return this.lastOrder;
  }
}

const nextTurnOfLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
