import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { type OrgScope, orgScope } from '../access/principal';
import { Bus, type BusMessages } from '../bus/bus';
import { WorkersService } from '../definitions/workers/workers.service';
import { SessionConfigurationService } from '../sessions/session-configuration';
import { SessionHosting } from '../sessions/session-hosting';
import { type SessionDocument } from '../sessions/session.schema';
import { SessionsRepository } from '../sessions/sessions.repository';
import { type Connection, Connections } from './connections';

/** How long a host may take to say that it has a session. */
const BIND_ACK_MS = 2_000;
/** It stops the session's agents and sends what is left of its events first. */
const UNBIND_ACK_MS = 10_000;

/** Tells the autonomous harnesses connected here which sessions they get, lose, and by which definition they go. */
@Injectable()
export class SessionBinder implements OnApplicationBootstrap {
  private readonly logger = new Logger('SessionBinder');
  /** What is said to a harness about one session is said in order. */
  private readonly last = new Map<string, Promise<void>>();

  constructor(
    private readonly connections: Connections,
    private readonly sessions: SessionsRepository,
    private readonly workers: WorkersService,
    private readonly configuration: SessionConfigurationService,
    private readonly hosting: SessionHosting,
    private readonly bus: Bus,
  ) {}

  onApplicationBootstrap(): void {
    this.bus.subscribe('session.bound', (message) => this.inOrder(message.sessionId, () => this.bind(message)));
    this.bus.subscribe('session.unbound', (message) => this.inOrder(message.sessionId, () => this.unbind(message)));
    this.bus.subscribe('definition.changed', (edit) => this.redefine(edit));
  }

  private async bind({ orgId, sessionId, agentId }: BusMessages['session.bound']): Promise<void> {
    const connection = this.connections.ofAgent(agentId);
    if (connection === undefined) return;
    const scope = orgScope(orgId);
    const session = await this.sessions.get(scope, sessionId);
    if (session?.agentId !== agentId || session.phase !== 'connecting') return;
    // Before it is told, for it may have something to say of the session at once.
    this.connections.addSession(connection, sessionId);
    await this.sessions.attach(scope, [sessionId], connection.id);
    const refusal = await this.tell(connection, scope, session);
    if (refusal === undefined) return this.hosting.taken(scope, sessionId, agentId, connection.incarnation);
    this.connections.removeSession(connection, sessionId);
    // It may have it all the same, if only its answer was lost.
    connection.socket.emit('unbind', { sessionId, reason: 'it was given to another host' }, () => undefined);
    await this.hosting.notTaken(scope, sessionId, agentId, refusal);
  }

  private async unbind({ sessionId, agentId, reason, remove }: BusMessages['session.unbound']): Promise<void> {
    const connection = this.connections.ofAgent(agentId);
    // One that is not here learns of it by its next welcome, which does not name the session.
    if (connection?.sessions.has(sessionId) !== true) return;
    await connection.socket
      .timeout(UNBIND_ACK_MS)
      .emitWithAck('unbind', { sessionId, reason, ...(remove && { remove }) })
      .catch(() => this.logger.warn({ sessionId, agentId }, 'a harness did not confirm that it let go of a session'));
    this.connections.removeSession(connection, sessionId);
  }

  /** Hands edited definitions to the hosts here. One that does not answer has to say hello anew, and hears it then. */
  private async redefine({ orgId, kind, id }: BusMessages['definition.changed']): Promise<void> {
    if (kind !== 'worker' && kind !== 'skill' && kind !== 'systemInstructions') return;
    const scope = orgScope(orgId);
    const workerIds =
      kind === 'systemInstructions' ? undefined : kind === 'worker' ? [id] : await this.workers.idsWithSkill(scope, id);
    if (workerIds?.length === 0) return;
    const here = this.connections.all().filter(({ agent, sessions }) => agent.orgId === orgId && sessions.size > 0);
    await Promise.all(here.map((connection) => this.redefineOn(connection, scope, workerIds)));
  }

  private async redefineOn(connection: Connection, scope: OrgScope, workerIds?: readonly string[]): Promise<void> {
    const concerned = await this.sessions.amongOf(scope, [...connection.sessions], workerIds);
    const hosted = concerned.filter(({ launcher }) => launcher === 'external');
    await Promise.all(
      hosted.map(({ _id }) =>
        this.inOrder(_id, async () => {
          // Read again in its turn: what is told last has to be what holds.
          const session = await this.sessions.get(scope, _id);
          if (session === undefined || !connection.sessions.has(_id)) return;
          const refusal = await this.tell(connection, scope, session);
          if (refusal === undefined) return;
          this.logger.warn(
            { sessionId: _id, refusal },
            'a harness did not take an edited definition; it connects anew',
          );
          this.connections.dismiss(connection, 'reauth');
        }),
      ),
    );
  }

  /** Undefined once the harness has the session as it is now, else why not. */
  private async tell(connection: Connection, scope: OrgScope, session: SessionDocument): Promise<string | undefined> {
    const descriptor = await this.configuration.descriptor(scope, session);
    try {
      const answer = await connection.socket.timeout(BIND_ACK_MS).emitWithAck('bind', { session: descriptor });
      return 'error' in answer ? `${answer.error.code}: ${answer.error.message}` : undefined;
    } catch {
      return `it did not answer within ${BIND_ACK_MS / 1000} s`;
    }
  }

  private inOrder(sessionId: string, task: () => Promise<void>): Promise<void> {
    const before = this.last.get(sessionId) ?? Promise.resolve();
    const done = before.then(task, task).finally(() => {
      if (this.last.get(sessionId) === done) this.last.delete(sessionId);
    });
    this.last.set(sessionId, done);
    return done;
  }
}
