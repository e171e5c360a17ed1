import { Injectable } from '@nestjs/common';
import { type OrgScope } from '../access/principal';
import { EventLog } from '../events/event-log';
import { type LogEvent } from '../events/log-event';
import { TurnFold } from './turn-fold';
import { type TurnDocument } from './turn.schema';
import { TurnsRepository } from './turns.repository';

/** A turn some harness is working on, as this controller knows it. */
export interface LiveTurn {
  turn: TurnDocument;
  /** What the events that are in the log add up to so far. */
  fold: TurnFold;
}

/**
 * The live turns whose events pass through this controller, with their folds. A cache: what it lacks is rebuilt from the
 * database and the log, so a restarted controller carries on in the middle of a turn.
 */
@Injectable()
export class LiveTurns {
  private readonly turns = new Map<string, LiveTurn>();
  private readonly bySession = new Map<string, Set<string>>();

  constructor(
    private readonly repository: TurnsRepository,
    private readonly log: EventLog,
  ) {
    log.subscribeAll((sessionId, events) => this.apply(sessionId, events));
  }

  /** A turn that was just leased: nothing of it is in the log but that it was queued. */
  add(turn: TurnDocument): void {
    this.put({ turn, fold: new TurnFold() });
  }

  /** The turn where it is live under this generation, else undefined: the caller is fenced. */
  async get(scope: OrgScope, turnId: string, generation: number): Promise<LiveTurn | undefined> {
    const known = this.turns.get(turnId);
    if (known !== undefined)
      return known.turn.orgId === scope.orgId && known.turn.generation === generation ? known : undefined;
    const turn = await this.repository.get(scope, turnId);
    if (turn?.live !== true || turn.generation !== generation) return undefined;
    return this.restore(scope, turn);
  }

  /** The fold of a turn, live or about to end without its harness. */
  async foldOf(scope: OrgScope, turn: TurnDocument): Promise<TurnFold> {
    return (this.turns.get(turn._id) ?? (await this.restore(scope, turn))).fold;
  }

  update(turn: TurnDocument): void {
    const known = this.turns.get(turn._id);
    if (known !== undefined) known.turn = turn;
  }

  remove(turnId: string): void {
    const known = this.turns.get(turnId);
    if (known === undefined) return;
    this.turns.delete(turnId);
    const siblings = this.bySession.get(known.turn.sessionId);
    siblings?.delete(turnId);
    if (siblings?.size === 0) this.bySession.delete(known.turn.sessionId);
  }

  /** Lanes of a session that are held, as far as this controller knows. */
  busyLanes(sessionId: string): string[] {
    return [...(this.bySession.get(sessionId) ?? [])].flatMap((id) => this.turns.get(id)?.turn.lane ?? []);
  }

  private put(live: LiveTurn): void {
    this.turns.set(live.turn._id, live);
    const siblings = this.bySession.get(live.turn.sessionId) ?? new Set();
    this.bySession.set(live.turn.sessionId, siblings.add(live.turn._id));
  }

  /** Reads the fold from the log. Events that become durable meanwhile are applied after it, each once. */
  private async restore(scope: OrgScope, turn: TurnDocument): Promise<LiveTurn> {
    const fold = new TurnFold();
    const meanwhile: LogEvent[] = [];
    const unsubscribe = this.log.subscribe(turn.sessionId, (events) => meanwhile.push(...events));
    let last = turn.afterSeq;
    try {
      for await (const { seq, event } of this.log.replay(scope, turn.sessionId, turn.afterSeq)) {
        if (event.turnId === turn._id) fold.apply(event.type, event.data);
        last = seq;
      }
    } finally {
      unsubscribe();
    }
    const other = this.turns.get(turn._id);
    if (other !== undefined) return other;
    for (const { seq, event } of meanwhile)
      if (seq > last && event.turnId === turn._id) fold.apply(event.type, event.data);
    const live = { turn, fold };
    this.put(live);
    return live;
  }

  private apply(sessionId: string, events: readonly LogEvent[]): void {
    const own = this.bySession.get(sessionId);
    if (own === undefined) return;
    for (const { event } of events) {
      if (event.turnId !== undefined && own.has(event.turnId)) {
        this.turns.get(event.turnId)?.fold.apply(event.type, event.data);
      }
    }
  }
}
