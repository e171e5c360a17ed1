import { Injectable, Logger } from '@nestjs/common';
import { type CommandCursor } from '@reins/shared/link/frames';
import { CONTROLLER_CAPABILITIES, LINK } from '@reins/shared/link/limits';
import { type FrameAcks, type FrameBody, type HarnessFrame } from '@reins/shared/link/socket-events';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope, orgScope } from '../access/principal';
import { PresenceService } from '../agents/presence/presence.service';
import { Bus } from '../bus/bus';
import { CommandsService } from '../commands/commands.service';
import { EventLog } from '../events/event-log';
import { SessionConfigurationService } from '../sessions/session-configuration';
import { SessionLifecycle } from '../sessions/session-lifecycle';
import { type SessionDocument } from '../sessions/session.schema';
import { SessionsRepository } from '../sessions/sessions.repository';
import { TurnIngest } from '../turns/turn-ingest';
import { TurnLifecycle } from '../turns/turn-lifecycle';
import { TurnQueue } from '../turns/turn-queue';
import { TurnsService } from '../turns/turns.service';
import { type Connection, Connections } from './connections';
import { LinkState } from './link-state';

type Handler<F extends HarnessFrame> = (connection: Connection, body: FrameBody<F>) => Promise<FrameAcks[F]>;
type Handlers = { [F in HarnessFrame]: Handler<F> };

/** What each frame of a harness does: one call into the room that knows. No rules of its own. */
@Injectable()
export class FrameHandlers {
  private readonly logger = new Logger('Link');

  constructor(
    private readonly connections: Connections,
    private readonly state: LinkState,
    private readonly presence: PresenceService,
    private readonly sessions: SessionsRepository,
    private readonly configuration: SessionConfigurationService,
    private readonly lifecycle: SessionLifecycle,
    private readonly queue: TurnQueue,
    private readonly turns: TurnsService,
    private readonly turnLifecycle: TurnLifecycle,
    private readonly ingest: TurnIngest,
    private readonly commands: CommandsService,
    private readonly log: EventLog,
    private readonly bus: Bus,
  ) {}

  readonly handlers: Handlers = {
    hello: (connection, body) => this.hello(connection, body),

    ready: async (connection, { sessionId, timings }) => {
      await this.lifecycle.ready(own(connection, sessionId), sessionId, connection.agent.agentId, timings);
      this.connections.renewPulls(connection);
      return { ok: true };
    },

    'session.failed': async (connection, { sessionId, message }) => {
      await this.lifecycle.hostFailed(own(connection, sessionId), sessionId, connection.agent.agentId, message);
      return { ok: true };
    },

    'turn.pull': async (connection, body) => {
      const sessions = body.sessions.filter((sessionId) => connection.sessions.has(sessionId));
      if (sessions.length === 0 || body.slots === 0 || connection.isLeaving) return { none: true, retryAfterMs: 1000 };
      const over = AbortSignal.any([connection.closed.signal, connection.pulls.signal]);
      return this.queue.pull(scopeOf(connection), sessions, holder(connection), over);
    },

    'turn.started': async (connection, report) => {
      const scope = own(connection, report.sessionId);
      if (!(await this.turnLifecycle.started(scope, report))) return { fenced: true };
      if (report.cliSessionId !== undefined) {
        const lane = await this.turns.laneOf(scope, report.sessionId, report.turnId);
        await this.sessions.setConversation(scope, report.sessionId, lane, report.cliSessionId);
      }
      return { ok: true };
    },

    'turn.lost': async (connection, report) => {
      const done = await this.turnLifecycle.lost(own(connection, report.sessionId), report);
      return done ? { ok: true } : { fenced: true };
    },

    heartbeat: async (connection, body) => {
      const scope = scopeOf(connection);
      const { agentId } = connection.agent;
      const [leases, commands, configVersion] = await Promise.all([
        this.turns.renew(scope, agentId, body.turns),
        this.commands.open(scope, [...connection.sessions], body.lastCommand),
        this.beat(connection, body),
      ]);
      return { leases, credit: LINK.maxCreditBytes, commands, configVersion };
    },

    events: (connection, push) => this.ingest.push(own(connection, push.sessionId), connection.incarnation, push),

    'commands.pull': async (connection, { sessionId, after }) => {
      const cursors: Record<string, CommandCursor> = { [sessionId]: after };
      return { commands: await this.commands.open(own(connection, sessionId), [sessionId], cursors) };
    },

    'command.ack': async (connection, ack) => {
      await this.commands.acknowledge(own(connection, ack.sessionId), ack);
      return { ok: true };
    },

    draining: async (connection, { reason }) => {
      connection.isLeaving = true;
      // A turn that came now would be given back.
      connection.pulls.abort();
      const sessions = [...connection.sessions];
      const { agentId } = connection.agent;
      await Promise.all(sessions.map((id) => this.lifecycle.leaving(scopeOf(connection), id, agentId, reason)));
      this.logger.log({ agentId: connection.agent.agentId, reason }, 'a harness is leaving');
      return { ok: true };
    },
  };

  /**
   * Records a beat, and answers the version of the agent's configuration. The bell that ends connections rings in one
   * controller and may be missed: by its next beat, a connection that should be over is.
   */
  private async beat(connection: Connection, { status, metrics }: FrameBody<'heartbeat'>): Promise<string> {
    const { agent, incarnation } = connection;
    const channel = { via: 'link', incarnation } as const;
    try {
      const state = await this.presence.heartbeat(scopeOf(connection), agent.agentId, { status, metrics }, channel);
      if (state.status === 'suspended') this.connections.dismiss(connection, 'revoked');
      return state.configVersion;
    } catch (error) {
      const code = error instanceof ReinsError ? error.code : undefined;
      if (code === 'agent_superseded') this.connections.dismiss(connection, 'superseded');
      // Once is how it looks while a session ends, whose harness is being told so.
      if (code === 'agent_not_found' && connection.isUnknown) this.connections.dismiss(connection, 'revoked');
      connection.isUnknown = code === 'agent_not_found';
      throw error;
    }
  }

  /** Both sides say what they have; from then on they agree. */
  private async hello(connection: Connection, body: FrameBody<'hello'>): Promise<FrameAcks['hello']> {
    const scope = scopeOf(connection);
    const { agentId } = connection.agent;
    this.refuseUnsupported(connection, body.harness.requires ?? []);
    const sessions = await this.sessions.servedBy(scope, agentId);
    this.connections.serve(
      connection,
      sessions.map(({ _id }) => _id),
    );
    await this.attach(connection, sessions);
    const answers = await Promise.all(
      sessions.map(async (session) => {
        const reported = body.sessions.find(({ sessionId }) => sessionId === session._id);
        const before = await this.before(scope, session._id, connection.incarnation);
        const acked = await this.ackedOf(scope, session._id, connection.incarnation, reported?.out.spooledFrom ?? 1);
        const turns = await this.turns.reattach(scope, session._id, holder(connection), reported?.turns ?? []);
        const isBack = reported !== undefined;
        await this.lifecycle.connected(scope, session._id, agentId, connection.incarnation, isBack);
        const descriptor = await this.configuration.descriptor(scope, session);
        return { sessionId: session._id, acked, ...before, session: descriptor, turns };
      }),
    );
    this.bus.publish('host.available', { orgId: scope.orgId });
    const { frameBytes, batchBytes, batchEvents, inlineBytes } = LINK;
    return {
      resume: 'ok',
      sessions: answers,
      limits: { frameBytes, batchBytes, batchEvents, inlineBytes },
      credit: LINK.maxCreditBytes,
      drain: this.state.draining,
    };
  }

  /**
   * From now on this connection is the agent's, wherever another one of the same process may still seem to be open. What
   * was remembered of its sessions from an earlier connection may be old: another controller may have written since.
   */
  private async attach(connection: Connection, sessions: readonly SessionDocument[]): Promise<void> {
    const { agent, id: connectionId } = connection;
    connection.hasSaidHello = true;
    const scope = scopeOf(connection);
    for (const { _id } of sessions) this.ingest.forget(_id);
    const ids = sessions.map(({ _id }) => _id);
    await Promise.all([
      this.presence.attached(scope, agent.agentId, connectionId),
      ids.length > 0 && this.sessions.attach(scope, ids, connectionId),
    ]);
    this.bus.publish('agent.attached', { orgId: agent.orgId, agentId: agent.agentId, connectionId });
  }

  private refuseUnsupported(connection: Connection, required: readonly string[]): void {
    const unknown = required.filter((capability) => !CONTROLLER_CAPABILITIES.includes(capability));
    if (unknown.length === 0) return;
    this.connections.dismiss(connection, 'unsupported');
    const message = `This controller cannot do what the harness requires: ${unknown.join(', ')}`;
    throw new ReinsError('protocol_unsupported', { message });
  }

  /** How far the process before this one came, for what it left on disk. */
  private async before(
    scope: OrgScope,
    sessionId: string,
    incarnation: string,
  ): Promise<{ before?: { incarnation: string; acked: number } }> {
    const tail = await this.log.freshTail(scope, sessionId);
    if (tail.incarnation === null || tail.incarnation === incarnation) return {};
    return { before: { incarnation: tail.incarnation, acked: tail.n } };
  }

  /** The last durable number of the harness. What it can no longer send is declared lost, once, in the log. */
  private async ackedOf(scope: OrgScope, sessionId: string, incarnation: string, spooledFrom: number): Promise<number> {
    const tail = await this.log.tail(scope, sessionId);
    const acked = tail.incarnation === incarnation ? tail.n : 0;
    if (spooledFrom <= acked + 1) return acked;
    const message = `the harness lost events ${acked + 1} to ${spooledFrom - 1} before they could be stored`;
    const lost = { at: new Date().toISOString(), type: 'log', data: { level: 'error', message } };
    const gap = Array.from({ length: spooledFrom - 1 - acked }, (_, index) => (index === 0 ? lost : null));
    await this.log.appendFromHarness(scope, sessionId, { incarnation, from: acked + 1 }, gap);
    return spooledFrom - 1;
  }
}

function scopeOf(connection: Connection): OrgScope {
  return orgScope(connection.agent.orgId);
}

function holder(connection: Connection): { agentId: string; incarnation: string } {
  return { agentId: connection.agent.agentId, incarnation: connection.incarnation };
}

/** The scope of a frame about a session, if the session is this harness's own. */
function own(connection: Connection, sessionId: string): OrgScope {
  if (!connection.sessions.has(sessionId)) throw new ReinsError('session_not_found');
  return scopeOf(connection);
}
