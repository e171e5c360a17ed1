import { Injectable, Logger } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import {
  BlobReference,
  type EventItem,
  HARNESS_EVENTS,
  type HarnessEventType,
  TurnCompleted,
} from '@reins/shared/link/events';
import { type EventsAck, type EventsPush } from '@reins/shared/link/frames';
import { LINK } from '@reins/shared/link/limits';
import { isoTime } from '@reins/shared/util';
import { type OrgScope } from '../access/principal';
import { EventLog } from '../events/event-log';
import { type NewEvent } from '../events/log-event';
import { LiveTurns } from './live-turns';
import { EVENT_OF_STATUS, isUnlogged, TurnLifecycle } from './turn-lifecycle';
import { TurnReport } from './turn-report';
import { type TurnDocument } from './turn.schema';
import { TurnsRepository } from './turns.repository';

const STOPPED = 'the harness stopped before the turn was done';

/** What became of one event of a push. */
type Verdict = { event: NewEvent | null; fenced?: string; ended?: string; again?: TurnDocument };

/** Takes what harnesses push: checks whose it is, ends turns, and appends to the log exactly once. */
@Injectable()
export class TurnIngest {
  private readonly logger = new Logger('TurnIngest');

  constructor(
    private readonly turns: TurnsRepository,
    private readonly liveTurns: LiveTurns,
    private readonly lifecycle: TurnLifecycle,
    private readonly log: EventLog,
    private readonly report: TurnReport,
  ) {}

  /** Durable when it resolves with `acked`. Events of turns the harness no longer holds use up their numbers. */
  async push(scope: OrgScope, incarnation: string, push: EventsPush): Promise<EventsAck> {
    const { sessionId, from, items } = push;
    if (items.some(({ n }, index) => n !== from + index)) {
      throw new ReinsError('frame_invalid', { message: 'items must be numbered from `from` in steps of 1' });
    }
    const known = await this.log.tail(scope, sessionId);
    const have = known.incarnation === incarnation ? known.n : 0;
    if (from > have + 1) return { expect: have + 1 };

    const texts = items.map(({ data }) => JSON.stringify(data));
    if (texts.reduce((sum, text) => sum + text.length, 0) > LINK.frameBytes) throw new ReinsError('frame_too_large');

    const verdicts: Verdict[] = [];
    for (const [index, item] of items.entries()) {
      // What is durable already is neither judged nor applied again.
      const verdict =
        item.n <= have ? { event: null } : await this.judge(scope, sessionId, item, texts[index] ?? '{}', verdicts);
      verdicts.push(verdict);
    }

    const events: (NewEvent | null)[] = verdicts.map(({ event }) => event);
    const nothingTaken = !events.some((event) => event !== null);
    if (nothingTaken && from + items.length - 1 > have) {
      // The numbers are used up; saying so keeps the cursor durable.
      const message = `events ${from} to ${from + items.length - 1} were not taken: unknown types, or turns of someone else`;
      events[events.length - 1] = { at: isoTime(Date.now()), type: 'log', data: { level: 'warn', message } };
    }
    const result = await this.log.appendFromHarness(scope, sessionId, { incarnation, from }, events);
    if ('expect' in result) return result;
    // Not before what it said is durable: the new attempt comes after that in the log.
    for (const { again } of verdicts) {
      if (again !== undefined) await this.lifecycle.interrupt(scope, again, 'harness_stopped', STOPPED);
    }
    for (const { ended } of verdicts) if (ended !== undefined) this.lifecycle.noteLogged(ended);
    const fenced = [...new Set(verdicts.flatMap((verdict) => verdict.fenced ?? []))];
    return { acked: result.acked, credit: LINK.maxCreditBytes, ...(fenced.length > 0 && { fenced }) };
  }

  /** The session's harness is or was connected elsewhere: nothing remembered of it is relied on. */
  forget(sessionId: string): void {
    this.liveTurns.forgetSession(sessionId);
    this.log.forget(sessionId);
  }

  private async judge(
    scope: OrgScope,
    sessionId: string,
    item: EventItem,
    dataJson: string,
    before: readonly Verdict[],
  ): Promise<Verdict> {
    const { type, turnId, data } = item;
    const at = validTime(item.at);
    if (!(type in HARNESS_EVENTS)) {
      this.report.eventIgnored('unknown_type');
      this.logger.debug({ sessionId, type }, 'an event of an unknown type was ignored');
      return { event: null };
    }
    const refusal = refusedBy(type as HarnessEventType, data);
    if (refusal !== undefined && type !== 'turn.completed') {
      this.report.eventIgnored('invalid');
      this.logger.warn(
        { sessionId, type, n: item.n, refusal },
        'a harness pushed an event that does not fit the protocol',
      );
      const message = `event ${item.n} of type ${type} was refused: ${refusal}`;
      return { event: { at, type: 'log', data: { level: 'error', message } } };
    }
    if (turnId === undefined) return { event: { at, type, data, dataJson } };
    const live = await this.liveTurns.get(scope, turnId, item.generation ?? -1);
    if (live === undefined || live.turn.sessionId !== sessionId) {
      return this.late(scope, item, turnId, { at, type, turnId, data, dataJson });
    }
    if (type !== 'turn.completed') return { event: { at, type, turnId, data, dataJson } };

    // Last words that cannot be understood still end the turn, or it would hold its lane for ever.
    const end =
      refusal === undefined
        ? TurnCompleted.parse(data)
        : TurnCompleted.parse({ status: 'failed', stopReason: 'invalid_terminal_event', error: { message: refusal } });
    // The harness left before the turn was done. What follows from that is the turn's own policy.
    if (end.status === 'interrupted' && this.lifecycle.isTriedAgain(live.turn)) {
      return { event: { at, type: 'log', turnId, data: { level: 'warn', message: STOPPED } }, again: live.turn };
    }
    const pending = before.flatMap(({ event }) => (event?.turnId === turnId ? [event] : []));
    const event = EVENT_OF_STATUS[end.status];
    const fold = await this.liveTurns.foldOf(scope, live.turn);
    const result = fold.with(pending).result(end);
    const terminal = { at, data: withoutRaw(end) };
    const generation = live.turn.generation;
    const ended = await this.lifecycle.endByHarness(scope, live.turn, {
      event,
      generation,
      at: new Date(),
      result,
      terminal,
    });
    const last = { at, type, turnId, data: terminal.data };
    // The same words, sent over the connection before and still under way at another controller, may have ended it just
    // now. Refused here, their numbers would be used up before the other one has written them.
    if (!ended) return this.late(scope, item, turnId, last);
    return { event: last, ended: turnId };
  }

  /**
   * An event of a turn the sender does not hold. If a crash of the controller came between the end of its own turn and
   * the log, the sender says everything again, and the log takes what it lacks.
   */
  private async late(scope: OrgScope, item: EventItem, turnId: string, event: NewEvent): Promise<Verdict> {
    const turn = await this.turns.get(scope, turnId);
    if (turn === undefined || !isUnlogged(turn, item.generation)) {
      this.report.eventIgnored('fenced');
      return { event: null, fenced: turnId };
    }
    if (item.type !== 'turn.completed') return { event };
    if (await this.lifecycle.isLogged(scope, turn)) return { event: null };
    return { event: { at: turn.terminal.at, type: item.type, turnId, data: turn.terminal.data }, ended: turnId };
  }
}

/** Why the data does not fit the type, or undefined. */
function refusedBy(type: HarnessEventType, data: Record<string, unknown>): string | undefined {
  const parsed = HARNESS_EVENTS[type].safeParse(data);
  if (parsed.success) return undefined;
  if (type !== 'turn.completed' && BlobReference.safeParse(data).success) return undefined;
  const issue = parsed.error.issues[0];
  return issue === undefined ? 'invalid data' : `${issue.path.map(String).join('.') || 'data'}: ${issue.message}`;
}

/** The agent's raw output is kept with the turn, not in every viewer's stream. */
function withoutRaw({ raw: _raw, ...end }: TurnCompleted): Record<string, unknown> {
  return end;
}

/** The harness's own time of the event; ours where it sent none that can be read. */
function validTime(at: string): string {
  const ms = Date.parse(at);
  return isoTime(Number.isNaN(ms) ? Date.now() : ms);
}
