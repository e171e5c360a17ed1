import { Injectable, Logger } from '@nestjs/common';
import { TurnCompleted } from '@reins/shared/link/events';
import { type TurnReport as ReportedTurn } from '@reins/shared/link/frames';
import { startInterval, type Interval, isoTime } from '@reins/shared/util';
import { type OrgScope, orgScope } from '../access/principal';
import { Bus } from '../bus/bus';
import { EventLog } from '../events/event-log';
import { type NewEvent } from '../events/log-event';
import { LiveTurns } from './live-turns';
import { type TerminalEvent, type TurnDocument } from './turn.schema';
import { type TurnEnd, TurnsRepository } from './turns.repository';
import { TurnReport } from './turn-report';

const MAX_ATTEMPTS = 3;
const MARK_LOGGED_EVERY_MS = 500;

export const EVENT_OF_STATUS = {
  complete: 'complete',
  failed: 'fail',
  cancelled: 'cancel',
  interrupted: 'interrupt',
} as const;

/** Moves turns from state to state, writes what the log owes for it, and frees the lane. */
@Injectable()
export class TurnLifecycle {
  private readonly logger = new Logger('TurnLifecycle');
  private readonly finishing = new Map<string, Promise<void>>();
  private logged: string[] = [];
  private readonly marking: Interval;

  constructor(
    private readonly turns: TurnsRepository,
    private readonly liveTurns: LiveTurns,
    private readonly log: EventLog,
    private readonly bus: Bus,
    private readonly report: TurnReport,
  ) {
    this.marking = startInterval({
      everyMs: MARK_LOGGED_EVERY_MS,
      run: () => this.markLogged(),
      onError: (error) => this.logger.warn({ err: error }, 'could not note logged turns; the repair will'),
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.marking.stop();
    await this.markLogged();
  }

  /** leased → running. False: the reporter is fenced. */
  async started(scope: OrgScope, report: ReportedTurn): Promise<boolean> {
    const turn = await this.turns.start(scope, report.turnId, report.generation, new Date());
    if (turn === undefined) {
      // The ack of an earlier report may have been lost.
      const again = await this.liveTurns.get(scope, report.turnId, report.generation);
      return again?.turn.status === 'running';
    }
    this.liveTurns.update(turn);
    await this.log.append(scope, turn.sessionId, [eventOf('turn.started', turn, { attempt: turn.attempt })]);
    return true;
  }

  /** The harness gives a leased or running turn back unfinished. False: it was not its own any more. */
  async lost(scope: OrgScope, report: ReportedTurn): Promise<boolean> {
    const live = await this.liveTurns.get(scope, report.turnId, report.generation);
    if (live === undefined) return false;
    const reason = report.reason ?? 'the harness gave the turn back';
    if (live.turn.status === 'leased') await this.requeue(scope, live.turn, false, reason);
    else await this.interrupt(scope, live.turn, 'harness_released', reason);
    return true;
  }

  /** Back to the queue under a new generation. */
  async requeue(scope: OrgScope, turn: TurnDocument, nextAttempt: boolean, reason: string): Promise<void> {
    const queued = await this.turns.requeue(scope, turn._id, turn.generation, nextAttempt);
    if (queued === undefined) return;
    this.liveTurns.remove(turn._id);
    this.bus.publish('turn.released', { orgId: scope.orgId, turnId: turn._id, generation: queued.generation });
    const data = { attempt: queued.attempt, lane: queued.lane, reason };
    await this.log.append(scope, turn.sessionId, [eventOf('turn.queued', queued, data)]);
    this.bus.publish('turn.queued', { orgId: scope.orgId, sessionId: turn.sessionId });
  }

  /** Whether a turn that was interrupted while it ran goes back to the queue. */
  isTriedAgain({ cancelRequestedAt, onInterrupt, attempt }: TurnDocument): boolean {
    return cancelRequestedAt === null && onInterrupt !== 'hold' && attempt < MAX_ATTEMPTS;
  }

  /** The harness is gone: by the turn's policy it is tried again, or ends `interrupted`. */
  async interrupt(scope: OrgScope, turn: TurnDocument, stopReason: string, message: string): Promise<void> {
    if (turn.cancelRequestedAt !== null) {
      await this.endWithout(scope, turn, 'cancelled', 'aborted', message);
    } else if (turn.status === 'leased') {
      // It never began, so running it elsewhere repeats nothing.
      await this.requeue(scope, turn, false, message);
    } else if (this.isTriedAgain(turn)) {
      await this.requeue(scope, turn, true, message);
    } else {
      await this.endWithout(scope, turn, 'interrupted', stopReason, message);
    }
  }

  /** Ends a turn whose harness cannot say so itself; its terminal event is marked synthetic. */
  async endWithout(
    scope: OrgScope,
    turn: TurnDocument,
    status: TurnCompleted['status'],
    stopReason: string,
    message: string,
  ): Promise<void> {
    const fold = await this.liveTurns.foldOf(scope, turn);
    const data = TurnCompleted.parse({ status, stopReason, error: { message }, synthetic: true });
    const terminal = { at: isoTime(Date.now()), data };
    const event = EVENT_OF_STATUS[status];
    const ended = await this.turns.end(scope, turn._id, { event, at: new Date(), result: fold.result(data), terminal });
    if (ended === undefined) return;
    this.release(ended);
    await this.ensureTerminal(scope, ended);
  }

  /** The transition a harness's `turn.completed` asks for; its event goes into the log with the push that carries it. */
  async endByHarness(scope: OrgScope, turn: TurnDocument, end: TurnEnd): Promise<boolean> {
    const ended = await this.turns.end(scope, turn._id, end);
    if (ended !== undefined) this.release(ended);
    return ended !== undefined;
  }

  /** To be called when the log has the terminal event. */
  noteLogged(turnId: string): void {
    this.logged.push(turnId);
  }

  /** Writes the terminal event of an ended turn unless the log has it. For synthetic ends and after crashes. */
  ensureTerminal(scope: OrgScope, turn: TurnDocument): Promise<void> {
    const running = this.finishing.get(turn._id);
    if (running !== undefined) return running;
    const finishing = this.writeTerminal(scope, turn).finally(() => this.finishing.delete(turn._id));
    this.finishing.set(turn._id, finishing);
    return finishing;
  }

  /** Repairs what a crash left between a transition and its event. */
  async repair(before: Date): Promise<void> {
    for (const turn of await this.turns.unlogged(before, 100)) await this.ensureTerminal(orgScope(turn.orgId), turn);
  }

  /** Whether the log has the turn's terminal event. Reads the log; for the rare case of doubt only. */
  async isLogged(scope: OrgScope, turn: TurnDocument): Promise<boolean> {
    for await (const { event } of this.log.replay(scope, turn.sessionId, turn.afterSeq)) {
      if (event.turnId === turn._id && event.type === 'turn.completed') return true;
    }
    return false;
  }

  private async writeTerminal(scope: OrgScope, turn: TurnDocument): Promise<void> {
    const { terminal } = turn;
    if (terminal === undefined) return;
    if (!(await this.isLogged(scope, turn))) {
      const event: NewEvent = { at: terminal.at, type: 'turn.completed', turnId: turn._id, data: terminal.data };
      await this.log.append(scope, turn.sessionId, [event]);
    }
    this.noteLogged(turn._id);
  }

  private release(ended: TurnDocument): void {
    this.liveTurns.remove(ended._id);
    this.bus.publish('turn.released', { orgId: ended.orgId, turnId: ended._id, generation: ended.generation });
    this.report.turnEnded(ended);
    this.bus.publish('turn.queued', { orgId: ended.orgId, sessionId: ended.sessionId });
  }

  private async markLogged(): Promise<void> {
    if (this.logged.length === 0) return;
    const ids = this.logged;
    this.logged = [];
    try {
      await this.turns.terminalLogged(ids);
    } catch (error) {
      this.logged.push(...ids);
      throw error;
    }
  }
}

/** Whether the holder of this lease ended the turn itself, its last words perhaps not being in the log yet. */
export function isUnlogged(
  turn: TurnDocument,
  generation: number | undefined,
): turn is TurnDocument & { terminal: TerminalEvent } {
  const { terminal } = turn;
  const byHarness = terminal !== undefined && terminal.data['synthetic'] !== true;
  return byHarness && turn.generation === (generation ?? -1) + 1;
}

/** A controller's own event about a turn, stamped now. */
export function eventOf(type: string, turn: TurnDocument, data: object): NewEvent {
  return { at: isoTime(Date.now()), type, turnId: turn._id, data };
}
