import { Injectable } from '@nestjs/common';
import { type OrgScope } from '../access/principal';
import { AgentsService } from '../agents/agents.service';
import { CommandsService } from '../commands/commands.service';
import { Config } from '../config/config';
import { EventLog } from '../events/event-log';
import { OperationsService } from '../operations/operations.service';
import { Replica } from '../replicas/replica';
import { Replicas } from '../replicas/replicas';
import { TurnsService } from '../turns/turns.service';
import { SessionLifecycle } from './session-lifecycle';
import { type SessionDocument } from './session.schema';
import { SessionsRepository } from './sessions.repository';

const DAY_MS = 86_400_000;

/**
 * Takes a session that is `ending` to `ended`: turns get their end, the harness commits and pushes, then it is stopped,
 * its identity retired and the log given its retention. Each step may run again, so a crash anywhere is resumed at boot.
 */
@Injectable()
export class EndPipeline {
  private readonly running = new Map<string, Promise<void>>();

  constructor(
    private readonly sessions: SessionsRepository,
    private readonly lifecycle: SessionLifecycle,
    private readonly turns: TurnsService,
    private readonly commands: CommandsService,
    private readonly agents: AgentsService,
    private readonly operations: OperationsService,
    private readonly log: EventLog,
    private readonly config: Config,
    private readonly replica: Replica,
    private readonly replicas: Replicas,
  ) {}

  /** Runs the pipeline once at a time for a session. Where it rejects it is run again at the next boot. */
  run(scope: OrgScope, session: SessionDocument): Promise<void> {
    const running = this.running.get(session._id);
    if (running !== undefined) return running;
    const started = this.ifOurs(scope, session).finally(() => this.running.delete(session._id));
    this.running.set(session._id, started);
    return started;
  }

  /** Of several controllers one takes a session to its end, for as long as it lives. */
  private async ifOurs(scope: OrgScope, session: SessionDocument): Promise<void> {
    const living = await this.replicas.living();
    if (await this.sessions.claimEnd(scope, session._id, this.replica.id, living)) await this.steps(scope, session);
  }

  private async steps(scope: OrgScope, session: SessionDocument): Promise<void> {
    const id = session._id;
    await this.operations.move(scope, id, 'End', 'run');
    await this.turns.cancelAll(scope, id, 'session_ended', 'the session was ended');
    await this.note(scope, id, 'quiesce');
    await this.note(scope, id, 'commit', await this.commit(scope, session));
    await this.lifecycle.stop(session, 'the session was ended', true);
    await this.note(scope, id, 'stop');
    const { agentId } = session;
    if (agentId !== null && this.lifecycle.launcherOf(session).startsHarness) await this.agents.retire(scope, agentId);
    await this.note(scope, id, 'retire');

    const ended = await this.sessions.transition(scope, id, 'endFinished', {
      endedAt: new Date(),
      phase: null,
      launchId: null,
    });
    // A prompt that slipped in while the session was ending has its end here.
    await this.turns.cancelAll(scope, id, 'session_ended', 'the session was ended');
    if (ended === undefined) return;
    await this.operations.move(scope, id, 'End', 'succeed');
    await this.lifecycle.tellState(scope, id, 'ended');
    await this.log.retain(scope, id, new Date(Date.now() + this.config.env.EVENTS_RETENTION_DAYS * DAY_MS));
  }

  /** The harness commits and pushes; without one there is nobody to do it, and the workspace stays where it is. */
  private async commit(scope: OrgScope, session: SessionDocument): Promise<string> {
    if (session.phase !== 'ready' && session.phase !== 'reconnecting') return 'skipped: no harness was connected';
    const timeoutMs = this.config.env.SESSION_END_TIMEOUT_MS;
    const command = await this.commands.end(scope, session._id, timeoutMs);
    const applied = await this.commands.applied(scope, command, timeoutMs);
    if (applied === undefined) return `skipped: the harness did not answer within ${timeoutMs / 1000} s`;
    return applied.ok === true
      ? JSON.stringify(applied.result ?? {})
      : `failed: ${applied.error?.message ?? 'unknown'}`;
  }

  private note(scope: OrgScope, sessionId: string, step: string, message: string | null = null): Promise<void> {
    return this.operations.step(scope, sessionId, 'End', step, message);
  }
}
