import { Injectable, Logger } from '@nestjs/common';
import { type OperationType, type SessionState } from '@reins/shared/state';
import { newId } from '@reins/shared/ids';
import { toReinsError } from '../common/to-reins-error';
import { type OrgScope, orgScope } from '../access/principal';
import { AgentLinkService } from '../agents/agent-link.service';
import { Bus } from '../bus/bus';
import { ListenAddress } from '../config/listen-address';
import { EventLog } from '../events/event-log';
import { Launcher, type LauncherFact } from '../launchers/launcher.port';
import { OperationsService } from '../operations/operations.service';
import { TurnsService } from '../turns/turns.service';
import { type SessionDocument } from './session.schema';
import { SessionsRepository } from './sessions.repository';

const STARTING = ['provisioning', 'connecting', 'bootstrapping'] as const;
const STOP_GRACE_MS = 15_000;
/** A harness that ended on its own this often in a row is not started again for what waits in the queue. */
const MOST_CRASHES = 3;
const QUEUE_ACTOR = 'system:queue';

/** Brings a session's harness to life and notices when it goes. */
@Injectable()
export class SessionLifecycle {
  private readonly logger = new Logger('SessionLifecycle');

  constructor(
    private readonly sessions: SessionsRepository,
    private readonly agents: AgentLinkService,
    private readonly launcher: Launcher,
    private readonly turns: TurnsService,
    private readonly operations: OperationsService,
    private readonly log: EventLog,
    private readonly bus: Bus,
    private readonly address: ListenAddress,
  ) {
    launcher.observe((fact) => this.onFact(fact));
  }

  /** Starts a harness unless one is starting or living. A failure is recorded in the session, not thrown. */
  async launch(scope: OrgScope, sessionId: string): Promise<void> {
    const launchId = newId('launch');
    const session = await this.sessions.claimLaunch(scope, sessionId, launchId);
    if (session === undefined) return;
    await this.operations.move(scope, sessionId, operationOf(session.status), 'run');
    try {
      const secret = await this.agents.renewManaged(scope, session.agentId);
      const { orgId, agentId } = session;
      await this.launcher.launch({ orgId, sessionId, launchId, agentId, secret, baseUrl: this.address.publicUrl });
      await this.sessions.setPhase(scope, sessionId, 'connecting', ['provisioning']);
    } catch (error) {
      const { code, message, cause } = toReinsError(error);
      this.logger.error({ err: cause ?? error, sessionId }, 'a harness could not be started');
      await this.sessions.releaseLaunch(scope, sessionId, launchId);
      await this.fail(scope, session, code, message);
    }
  }

  /** The harness has its workspace: turns may flow. */
  async ready(scope: OrgScope, sessionId: string, timings: Record<string, number>): Promise<void> {
    const before = await this.sessions.get(scope, sessionId);
    const change = { phase: 'ready' as const, statusReason: null, lastActivityAt: new Date() };
    const session = await this.sessions.transition(scope, sessionId, 'ready', change);
    if (session === undefined || before === undefined) return;
    if (before.status !== 'active') {
      await this.operations.move(scope, sessionId, operationOf(before.status), 'succeed');
      await this.tellState(scope, sessionId, 'active', { timings });
    }
    this.bus.publish('turn.queued', { orgId: scope.orgId, sessionId });
  }

  async failBootstrap(scope: OrgScope, session: SessionDocument, message: string): Promise<void> {
    await this.fail(scope, session, 'bootstrap_failed', message);
  }

  /** Ends the harness and keeps the workspace; the next prompt starts another one in it. */
  async suspend(scope: OrgScope, sessionId: string, actor: string, code: string, message: string): Promise<boolean> {
    const statusReason = { code, message, at: new Date() };
    const session = await this.sessions.transition(scope, sessionId, 'suspend', { phase: null, statusReason });
    if (session === undefined) return false;
    await this.operations.open(scope, sessionId, 'Stop', actor);
    await this.tellState(scope, sessionId, 'suspended', { reason: { code, message } });
    await this.launcher.stop(sessionId, STOP_GRACE_MS);
    await this.operations.move(scope, sessionId, 'Stop', 'succeed');
    return true;
  }

  /** A prompt came: a suspended session gets its harness back. */
  async wake(scope: OrgScope, session: SessionDocument, actor: string): Promise<void> {
    if (session.status !== 'suspended' || session.launchId !== null) return;
    if (actor !== QUEUE_ACTOR && session.crashes > 0) await this.sessions.setCrashes(scope, session._id, 0);
    await this.operations.open(scope, session._id, 'Start', actor);
    await this.launch(scope, session._id);
  }

  /** The socket is there, the workspace not yet. */
  async connected(scope: OrgScope, sessionId: string, agentId: string, incarnation: string): Promise<void> {
    await this.sessions.setPhase(scope, sessionId, 'bootstrapping', ['provisioning', 'connecting']);
    const data = { agentId, incarnation };
    await this.log.append(scope, sessionId, [{ at: new Date().toISOString(), type: 'harness.connected', data }]);
  }

  /** The socket is gone; the lease decides whether the harness is. */
  async disconnected(scope: OrgScope, sessionId: string): Promise<void> {
    await this.sessions.setPhase(scope, sessionId, 'reconnecting', ['ready']);
  }

  /** What the launcher saw. Facts about an earlier start change nothing. */
  private async onFact(fact: LauncherFact): Promise<void> {
    const scope = orgScope(fact.orgId);
    const { sessionId, message } = fact;
    const before = await this.sessions.releaseLaunch(scope, sessionId, fact.launchId);
    if (before === undefined) return;
    this.logger.log({ sessionId, exitCode: fact.exitCode, signal: fact.signal }, message);
    const data = { reason: 'exited', exitCode: fact.exitCode, signal: fact.signal, message };
    await this.log.append(scope, sessionId, [{ at: new Date().toISOString(), type: 'harness.lost', data }]);
    if (before.status === 'ending') return;

    if (before.phase !== null && (STARTING as readonly string[]).includes(before.phase)) {
      await this.fail(scope, before, 'harness_exited', `The harness ended before it was ready; ${message}`);
      return;
    }
    if (before.status === 'active') {
      const statusReason = { code: 'harness_exited', message, at: new Date() };
      const crashes = before.crashes + 1;
      await this.sessions.transition(scope, sessionId, 'harnessExited', { statusReason, crashes, phase: null });
      await this.tellState(scope, sessionId, 'suspended', { reason: { code: 'harness_exited', message } });
    }
    await this.turns.interruptAll(scope, sessionId, before.agentId, 'process_exited', message);
    await this.resumeForQueue(scope, sessionId);
  }

  /** What waits in the queue gets a harness, unless harnesses keep dying here. */
  private async resumeForQueue(scope: OrgScope, sessionId: string): Promise<void> {
    const session = await this.sessions.get(scope, sessionId);
    if (session?.status !== 'suspended' || !(await this.turns.hasQueued(scope, sessionId))) return;
    if (session.crashes < MOST_CRASHES) return this.wake(scope, session, QUEUE_ACTOR);
    await this.fail(
      scope,
      session,
      'harness_crashes',
      `The harness ended on its own ${session.crashes} times in a row.`,
    );
  }

  private async fail(scope: OrgScope, before: SessionDocument, code: string, message: string): Promise<void> {
    const statusReason = { code, message, at: new Date() };
    const failed = await this.sessions.transition(scope, before._id, 'launchFailed', { statusReason, phase: null });
    if (failed === undefined) return;
    await this.operations.move(scope, before._id, operationOf(before.status), 'fail', { code, message });
    await this.tellState(scope, before._id, 'failed', { reason: { code, message } });
    await this.turns.cancelAll(scope, before._id, 'session_failed', message);
    await this.launcher.stop(before._id, STOP_GRACE_MS);
  }

  async tellState(scope: OrgScope, sessionId: string, state: SessionState, more: object = {}): Promise<void> {
    const event = { at: new Date().toISOString(), type: 'session.state', data: { state, ...more } };
    await this.log.append(scope, sessionId, [event]);
  }
}

/** The operation that a start of the harness belongs to: the first one is the session's creation. */
function operationOf(status: SessionState): OperationType {
  return status === 'pending' ? 'Create' : 'Start';
}
