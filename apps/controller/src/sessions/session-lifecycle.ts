import { Injectable, Logger } from '@nestjs/common';
import { type OperationType, type SessionState } from '@reins/shared/state';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { toReinsError } from '../common/to-reins-error';
import { type OrgScope, orgScope } from '../access/principal';
import { AgentLinkService } from '../agents/agent-link.service';
import { Bus } from '../bus/bus';
import { ListenAddress } from '../config/listen-address';
import { EventLog } from '../events/event-log';
import { type Launcher, type LauncherFact, LaunchRefused } from '../launchers/launcher.port';
import { Launchers } from '../launchers/launchers';
import { OperationsService } from '../operations/operations.service';
import { Replica } from '../replicas/replica';
import { TurnsService } from '../turns/turns.service';
import { PUT_OFF } from './session-placement';
import { SessionPlaces, STOP_GRACE_MS } from './session-places';
import { type SessionDocument } from './session.schema';
import { SessionsRepository } from './sessions.repository';

const STARTING = ['provisioning', 'connecting', 'bootstrapping'] as const;
/** A host that did not take a session is not asked again before. */
const ASK_AGAIN_AFTER_MS = 5_000;
/** A harness that ended on its own this often in a row is not started again for what waits in the queue. */
const MOST_CRASHES = 3;
const WAITS_FOR_HOST = { code: 'no_host', words: 'No host takes the session' };
const WAITS_TO_START = { code: PUT_OFF, words: 'The harness cannot be started yet' };
const QUEUE_ACTOR = 'system:queue';
/** The harness went because its machine goes, or somebody asked it to: nothing is wrong with the session. */
const DRAINED = 'harness_drained';

/** Brings a session's harness to life and notices when it goes. */
@Injectable()
export class SessionLifecycle {
  private readonly logger = new Logger('SessionLifecycle');

  constructor(
    private readonly sessions: SessionsRepository,
    private readonly agents: AgentLinkService,
    private readonly launchers: Launchers,
    private readonly turns: TurnsService,
    private readonly operations: OperationsService,
    private readonly log: EventLog,
    private readonly bus: Bus,
    private readonly address: ListenAddress,
    private readonly places: SessionPlaces,
    private readonly replica: Replica,
  ) {
    for (const launcher of launchers.all()) launcher.observe((fact) => this.onFact(fact));
  }

  /** Starts a harness unless one is starting or living. A failure is recorded in the session, not thrown. */
  async launch(scope: OrgScope, sessionId: string): Promise<void> {
    const launchId = newId('launch');
    const session = await this.sessions.claimLaunch(scope, sessionId, launchId, this.replica);
    if (session === undefined) return;
    await this.operations.move(scope, sessionId, operationOf(session.status), 'run');
    await this.place(scope, session);
  }

  /** Has the launcher of a claimed launch start a harness, or find a host; called again while there is none. */
  async place(scope: OrgScope, session: SessionDocument): Promise<string | undefined> {
    const { orgId, _id: sessionId, launchId } = session;
    if (launchId === null) return undefined;
    const launcher = this.launcherOf(session);
    try {
      const launched = await launcher.launch({
        orgId,
        sessionId,
        launchId,
        baseUrl: this.address.publicUrl,
        ...(launcher.startsHarness && {
          credentials: await this.newIdentity(scope, session),
          renewCredentials: () => this.newIdentity(scope, session),
        }),
        hasWorkspace: session.pinned === true,
        session: {
          sessionId,
          cliType: session.cliType,
          placement: session.placement ?? null,
          agentId: session.agentId,
          refusedBy: refusedBy(session, Date.now()),
        },
        workerId: session.workerId,
        pod: session.pod ?? null,
        expiresAt: session.expiresAt,
        assign: async (agentId) =>
          (await this.sessions.assignHost(scope, sessionId, launchId, agentId)) ||
          (await this.sessions.isAssigned(scope, sessionId, launchId, agentId)),
      });
      if ('waitingFor' in launched) {
        const waiting = launcher.startsHarness ? WAITS_TO_START : WAITS_FOR_HOST;
        return await this.waits(scope, session, launchId, waiting.code, `${waiting.words}: ${launched.waitingFor}.`);
      }
      if (launcher.startsHarness) await this.sessions.setPhase(scope, sessionId, 'connecting', ['provisioning']);
      else this.bus.publish('session.bound', { orgId, sessionId, agentId: launched.agentId });
    } catch (error) {
      if (error instanceof LaunchRefused) return this.refused(scope, session, launchId, error);
      const { code, message, cause, spec } = toReinsError(error);
      if (!launcher.startsHarness && spec.status >= 500) {
        this.logger.warn({ err: cause ?? error, sessionId }, 'no host could be looked for; it is tried again');
        return undefined;
      }
      this.logger.error({ err: cause ?? error, sessionId }, 'a harness could not be started');
      await this.sessions.releaseLaunch(scope, sessionId, launchId);
      await this.fail(scope, session, code, message);
    }
    return undefined;
  }

  private async refused(
    scope: OrgScope,
    session: SessionDocument,
    launchId: string,
    error: LaunchRefused,
  ): Promise<undefined> {
    this.logger.error({ err: error.cause ?? error, sessionId: session._id }, 'a harness could not be started');
    await this.sessions.releaseLaunch(scope, session._id, launchId);
    await this.fail(scope, session, error.code, error.message);
  }

  /** The session and its host do without each other from now on, whatever the session's state. */
  async stop(session: SessionDocument, reason: string, final: boolean): Promise<void> {
    const { orgId, _id: sessionId, launchId, agentId, pod = null } = session;
    const request = { orgId, sessionId, launchId, agentId, pod, reason, final };
    if (await this.places.stopsElsewhere(session, request, STOP_GRACE_MS)) return;
    await this.launcherOf(session).stop(request, STOP_GRACE_MS);
  }

  launcherOf(session: SessionDocument): Launcher {
    return this.launchers.get(session.launcher ?? 'process');
  }

  /** The harness has its workspace: turns may flow. */
  async ready(scope: OrgScope, sessionId: string, agentId: string, timings: Record<string, number>): Promise<void> {
    const before = await this.sessions.get(scope, sessionId);
    if (before?.agentId !== agentId) throw new ReinsError('session_not_found');
    // From now on there is a workspace, and it is there.
    const change = { phase: 'ready' as const, statusReason: null, lastActivityAt: new Date(), pinned: true };
    const session = await this.sessions.transition(scope, sessionId, 'ready', change);
    if (session === undefined) return;
    if (before.status !== 'active') {
      await this.operations.move(scope, sessionId, operationOf(before.status), 'succeed');
      await this.tellState(scope, sessionId, 'active', { timings });
    }
    this.bus.publish('turn.queued', { orgId: scope.orgId, sessionId });
  }

  async failBootstrap(scope: OrgScope, session: SessionDocument, message: string): Promise<void> {
    await this.fail(scope, session, 'bootstrap_failed', message);
  }

  /** A host could not make the workspace of a session it had taken. */
  async hostFailed(scope: OrgScope, sessionId: string, agentId: string, message: string): Promise<void> {
    const session = await this.sessions.get(scope, sessionId);
    if (session?.agentId !== agentId) throw new ReinsError('session_not_found');
    if (session.status === 'active') await this.hostLost(scope, session, 'bootstrap_failed', message, false);
    else await this.fail(scope, session, 'bootstrap_failed', message);
  }

  /** The host will not serve the session any more, for now or (`forGood`) at all: its workspace is gone then. */
  async hostLost(
    scope: OrgScope,
    session: SessionDocument,
    code: string,
    message: string,
    forGood: boolean,
  ): Promise<void> {
    const { _id: sessionId, agentId } = session;
    const change = { statusReason: { code, message, at: new Date() }, phase: null };
    const suspended = await this.sessions.transition(scope, sessionId, 'harnessExited', change);
    if (suspended !== undefined && session.status === 'active') {
      await this.tellState(scope, sessionId, 'suspended', { reason: { code, message } });
    }
    if (agentId !== null) await this.turns.interruptAll(scope, sessionId, agentId, 'host_lost', message);
    const now = suspended ?? session;
    if (forGood || now.status === 'pending') await this.fail(scope, now, code, message);
    else await this.stop(now, message, false);
  }

  /** Ends the harness and keeps the workspace; the next prompt starts another one in it. */
  async suspend(scope: OrgScope, sessionId: string, actor: string, code: string, message: string): Promise<boolean> {
    const statusReason = { code, message, at: new Date() };
    const session = await this.sessions.transition(scope, sessionId, 'suspend', { phase: null, statusReason });
    if (session === undefined) return false;
    await this.operations.open(scope, sessionId, 'Stop', actor);
    await this.tellState(scope, sessionId, 'suspended', { reason: { code, message } });
    await this.stop(session, message, false);
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

  /** The socket is there, the workspace not yet, unless the harness has just been away for a moment. */
  async connected(
    scope: OrgScope,
    sessionId: string,
    agentId: string,
    incarnation: string,
    isBack = false,
  ): Promise<void> {
    if (isBack) await this.sessions.setPhase(scope, sessionId, 'ready', ['reconnecting']);
    await this.sessions.setPhase(scope, sessionId, 'bootstrapping', ['provisioning', 'connecting']);
    const data = { agentId, incarnation };
    await this.log.append(scope, sessionId, [{ at: new Date().toISOString(), type: 'harness.connected', data }]);
  }

  /** The harness will leave as soon as it is done. */
  async leaving(scope: OrgScope, sessionId: string, agentId: string, reason: string): Promise<void> {
    const session = await this.sessions.get(scope, sessionId);
    if (session === undefined || !this.launcherOf(session).startsHarness) return;
    await this.sessions.noteLeaving(scope, sessionId, agentId, DRAINED, `The harness left in order: ${reason}.`);
  }

  /** The socket is gone; the lease decides whether the harness is, unless it has left in order. */
  async disconnected(scope: OrgScope, sessionId: string, connectionId: string, hasLeft = false): Promise<void> {
    const session = hasLeft ? await this.sessions.get(scope, sessionId) : undefined;
    if (
      session?.status === 'active' &&
      session.connectionId === connectionId &&
      session.statusReason?.code === DRAINED
    ) {
      await this.sessions.transition(scope, sessionId, 'harnessExited', { phase: null });
      await this.tellState(scope, sessionId, 'suspended', { reason: session.statusReason });
      const { code, message } = session.statusReason;
      if (session.agentId !== null) await this.turns.interruptAll(scope, sessionId, session.agentId, code, message);
      // Whichever of the two is noted last, this or the end of the process, finds what waits.
      return this.resumeForQueue(scope, sessionId);
    }
    await this.sessions.detach(scope, sessionId, connectionId);
  }

  /** What the launcher saw. Facts about an earlier start change nothing. */
  private async onFact(fact: LauncherFact): Promise<void> {
    const scope = orgScope(fact.orgId);
    const { sessionId, launchId } = fact;
    if (fact.kind === 'waiting') return this.startsLate(scope, fact);
    const before = await this.sessions.releaseLaunch(scope, sessionId, launchId);
    if (before === undefined) return;
    const hasLeft = before.statusReason?.code === DRAINED;
    const { message, code = 'harness_exited' } = hasLeft && before.statusReason !== null ? before.statusReason : fact;
    this.logger.log({ sessionId, code, exitCode: fact.exitCode, signal: fact.signal }, message);
    const data = { reason: fact.kind, code, exitCode: fact.exitCode, signal: fact.signal, message };
    await this.log.append(scope, sessionId, [{ at: new Date().toISOString(), type: 'harness.lost', data }]);
    if (before.status === 'ending') return;

    if (before.phase !== null && (STARTING as readonly string[]).includes(before.phase)) {
      // Whoever claimed the start did not live to make it.
      if (code === 'never_started') return this.launch(scope, sessionId);
      if (hasLeft && before.crashes < MOST_CRASHES) {
        await this.sessions.setCrashes(scope, sessionId, before.crashes + 1);
        await this.stop({ ...before, launchId }, message, false);
        return this.launch(scope, sessionId);
      }
      const why = fact.code === undefined ? `The harness ended before it was ready; ${message}` : message;
      await this.fail(scope, before, code, why);
      return;
    }
    if (before.status === 'active') {
      const statusReason = { code, message, at: new Date() };
      const crashes = hasLeft || fact.isFromOutside === true ? before.crashes : before.crashes + 1;
      await this.sessions.transition(scope, sessionId, 'harnessExited', { statusReason, crashes, phase: null });
      await this.tellState(scope, sessionId, 'suspended', { reason: { code, message } });
    }
    if (before.agentId !== null) {
      const stopReason = fact.kind === 'unbound' ? 'host_lost' : hasLeft ? DRAINED : (fact.code ?? 'process_exited');
      await this.turns.interruptAll(scope, sessionId, before.agentId, stopReason, message);
    }
    // What is left of the start, such as its Job, is of no use to the next one.
    if (this.launcherOf(before).startsHarness) await this.stop({ ...before, launchId }, message, false);
    await this.resumeForQueue(scope, sessionId);
  }

  /** It may still start; until then its caller is told what it waits for. */
  private async startsLate(scope: OrgScope, { sessionId, launchId, code, message }: LauncherFact): Promise<void> {
    const session = await this.sessions.get(scope, sessionId);
    if (session?.launchId !== launchId) return;
    await this.waits(scope, session, launchId, code ?? WAITS_TO_START.code, message);
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
    await this.stop(before, message, false);
  }

  private async newIdentity(scope: OrgScope, session: SessionDocument): Promise<{ agentId: string; secret: string }> {
    const { agentId } = session;
    if (agentId === null) throw new Error('a session whose harness is started has an agent from its creation on');
    return { agentId, secret: await this.agents.renewManaged(scope, agentId) };
  }

  /** Says once for what; answers it. */
  private async waits(
    scope: OrgScope,
    session: SessionDocument,
    launchId: string,
    code: string,
    message: string,
  ): Promise<string> {
    if (await this.sessions.noteWaiting(scope, session._id, launchId, code, message)) {
      await this.tellState(scope, session._id, session.status, { reason: { code, message } });
    }
    return message;
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

function refusedBy({ refusals = [] }: SessionDocument, now: number): string[] {
  return refusals.filter(({ at }) => at.getTime() > now - ASK_AGAIN_AFTER_MS).map(({ agentId }) => agentId);
}
