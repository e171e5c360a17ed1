import { Injectable } from '@nestjs/common';
import { type OrgScope } from '../access/principal';
import { Bus } from '../bus/bus';
import { EventLog } from '../events/event-log';
import { type LogEvent } from '../events/log-event';
import { TurnFold } from './turn-fold';
import { type TurnDocument } from './turn.schema';
import { TurnsRepository } from './turns.repository';

/** A turn some harness is working on, as this controller knows it. */
export interface LiveTurn {
  turn: TurnDocument;
  /** What the events that are in the log add up to, as far as `seq`. */
  fold: TurnFold;
  /** The last number of the log that the fold knows of; undefined while nothing of the turn was written. */
  seq: number | undefined;
  /** The log may have more than the fold: it is brought up to date when it is needed. */
  isBehind: boolean;
  /** The last number seen here while the fold was behind. */
  seen: number;
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
    bus: Bus,
  ) {
    log.subscribeAll((sessionId, events) => this.apply(sessionId, events));
    bus.subscribe('turn.released', ({ turnId, generation }) => this.released(turnId, generation), 'elsewhere');
  }

  /** A turn that was just leased: nothing of it is in the log but that it was queued. */
  add(turn: TurnDocument): void {
    this.put({ turn, fold: new TurnFold(), seq: undefined, isBehind: false, seen: 0 });
  }

  /** The turn where it is live under this generation, else undefined: the caller is fenced. */
  async get(scope: OrgScope, turnId: string, generation: number): Promise<LiveTurn | undefined> {
    const known = this.turns.get(turnId);
    if (known !== undefined)
      return known.turn.orgId === scope.orgId && known.turn.generation === generation ? known : undefined;
    const turn = await this.repository.get(scope, turnId);
    if (turn?.live !== true || turn.generation !== generation) return undefined;
    return this.put(behind(turn));
  }

  /** The fold of a turn, live or about to end without its harness, with all that is in the log. */
  async foldOf(scope: OrgScope, turn: TurnDocument): Promise<TurnFold> {
    const live = this.turns.get(turn._id) ?? behind(turn);
    while (live.isBehind) await this.catchUp(scope, live);
    return live.fold;
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

  /** The session's harness is elsewhere now, or was: its turns are read anew when they are asked for. */
  forgetSession(sessionId: string): void {
    for (const turnId of [...(this.bySession.get(sessionId) ?? [])]) this.remove(turnId);
  }

  /** Of the turns believed to be live in the session only these are. */
  keepOnly(sessionId: string, liveIds: readonly string[]): void {
    for (const turnId of [...(this.bySession.get(sessionId) ?? [])]) {
      if (!liveIds.includes(turnId)) this.remove(turnId);
    }
  }

  /** Lanes of a session that are held, as far as this controller knows. */
  busyLanes(sessionId: string): string[] {
    return [...(this.bySession.get(sessionId) ?? [])].flatMap((id) => this.turns.get(id)?.turn.lane ?? []);
  }

  private put(live: LiveTurn): LiveTurn {
    const known = this.turns.get(live.turn._id);
    // Two that ask at once share the one that was first.
    if (known?.turn.generation === live.turn.generation) return known;
    this.turns.set(live.turn._id, live);
    const siblings = this.bySession.get(live.turn.sessionId) ?? new Set();
    this.bySession.set(live.turn.sessionId, siblings.add(live.turn._id));
    return live;
  }

  private released(turnId: string, generation: number): void {
    const known = this.turns.get(turnId);
    if (known !== undefined && known.turn.generation < generation) this.remove(turnId);
  }

  /** Applies what the log has beyond the fold, whoever wrote it. Two at once apply each event once. */
  private async catchUp(scope: OrgScope, live: LiveTurn): Promise<void> {
    const { turn } = live;
    const after = live.seq ?? turn.afterSeq;
    for await (const { seq, event } of this.log.replay(scope, turn.sessionId, after)) {
      if (seq <= (live.seq ?? turn.afterSeq)) continue;
      live.seq = seq;
      if (event.turnId === turn._id) live.fold.apply(event.type, event.data);
    }
    // What became durable since the last page was read is seen here, if it was written here.
    live.isBehind = live.seen > (live.seq ?? turn.afterSeq);
  }

  private apply(sessionId: string, events: readonly LogEvent[]): void {
    const [first] = events;
    const last = events[events.length - 1];
    if (first === undefined || last === undefined) return;
    for (const turnId of this.bySession.get(sessionId) ?? []) {
      const live = this.turns.get(turnId);
      if (live === undefined) continue;
      live.isBehind ||= live.seq !== undefined && first.seq > live.seq + 1;
      live.seen = last.seq;
      if (live.isBehind) continue;
      for (const { seq, event } of events) {
        if (event.turnId === turnId) live.fold.apply(event.type, event.data);
        live.seq = seq;
      }
    }
  }
}

/** A live turn of which nothing was read yet. */
function behind(turn: TurnDocument): LiveTurn {
  return { turn, fold: new TurnFold(), seq: turn.afterSeq, isBehind: true, seen: 0 };
}
