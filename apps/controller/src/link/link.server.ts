import { type Server as HttpServer } from 'node:http';
import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ReinsError } from '@reins/shared/errors';
import { LINK } from '@reins/shared/link/limits';
import {
  type ControllerToHarness,
  HARNESS_FRAMES,
  type HarnessFrame,
  type HarnessToController,
} from '@reins/shared/link/socket-events';
import { systemClock } from '@reins/shared/util';
import { Server } from 'socket.io';
import { orgScope } from '../access/principal';
import { PresenceService } from '../agents/presence/presence.service';
import { Bus } from '../bus/bus';
import { CommandsService } from '../commands/commands.service';
import { toReinsError } from '../common/to-reins-error';
import { Metrics } from '../metrics/metrics';
import { SessionLifecycle } from '../sessions/session-lifecycle';
import { TurnIngest } from '../turns/turn-ingest';
import { TurnQueue } from '../turns/turn-queue';
import { type Connection, type ConnectionData, Connections } from './connections';
import { FrameHandlers } from './frame-handlers';
import { Handshake } from './handshake';
import { LinkState } from './link-state';
import { SocketAdapter } from './socket-adapter';

const PING_MS = 10_000;
const DRAIN_ACK_MS = 2_000;
const RECONNECT_AFTER_DRAIN_MS = 1_000;
/** Frames that take longer are given up when the controller stops; their harnesses send them again elsewhere. */
const FINISH_FRAMES_MS = 5_000;

type LinkSocketServer = Server<HarnessToController, ControllerToHarness, Record<string, never>, ConnectionData>;

/** The harnesses' side of the controller: one socket.io namespace, WebSocket only, without recovery of its own. */
@Injectable()
export class LinkServer implements OnApplicationBootstrap {
  private readonly logger = new Logger('Link');
  private readonly goodbyes = new Set<Promise<unknown>>();
  /** Frames that are being handled, also those of connections that are over. */
  private readonly atWork = new Set<Promise<unknown>>();
  private io: LinkSocketServer | undefined;

  constructor(
    private readonly http: HttpAdapterHost,
    private readonly handshake: Handshake,
    private readonly connections: Connections,
    private readonly frames: FrameHandlers,
    private readonly state: LinkState,
    private readonly lifecycle: SessionLifecycle,
    private readonly queue: TurnQueue,
    private readonly commands: CommandsService,
    private readonly presence: PresenceService,
    private readonly ingest: TurnIngest,
    private readonly adapter: SocketAdapter,
    private readonly bus: Bus,
    metrics: Metrics,
  ) {
    const connected = metrics.gauge('reins_harnesses_connected', 'Harnesses connected to this controller');
    connections.onChange((count) => connected.set(count));
  }

  onApplicationBootstrap(): void {
    const httpServer = this.http.httpAdapter.getHttpServer() as HttpServer;
    this.io = new Server(httpServer, {
      transports: ['websocket'],
      perMessageDeflate: false,
      maxHttpBufferSize: LINK.transportBytes,
      pingInterval: PING_MS,
      pingTimeout: PING_MS,
      serveClient: false,
      destroyUpgrade: true,
    });
    const adapter = this.adapter.create();
    if (adapter !== undefined) this.io.adapter(adapter);
    // The default namespace is nobody's: without a handler its connections would linger unauthenticated.
    this.io.use((_socket, next) => next(new Error('use the /harness namespace')));
    const namespace = this.io.of(LINK.namespace);
    namespace.use((socket, next) => {
      this.handshake.admit(socket.handshake.auth).then(
        (data) => {
          socket.data = data;
          next();
        },
        (error: unknown) => next(connectError(toReinsError(error))),
      );
    });
    namespace.on('connection', (socket) => this.accept(this.connections.add(socket.data, socket)));
    this.listen();
  }

  /** Leaves in order: no new leases, harnesses told to come back, then the sockets close. */
  async drain(): Promise<void> {
    this.state.draining = true;
    this.queue.drain();
    await Promise.all(
      this.connections.all().map(({ socket }) =>
        socket
          .timeout(DRAIN_ACK_MS)
          .emitWithAck('drain', { reconnectAfterMs: RECONNECT_AFTER_DRAIN_MS })
          .catch(() => undefined),
      ),
    );
  }

  /**
   * Closes the sockets, not the HTTP server, which is the application's; resolves when every goodbye is noted and what
   * had arrived is done with, so that the database is not closed under it.
   */
  async close(): Promise<void> {
    // Of this controller only: with an adapter the namespace would mean the sockets of all.
    this.io?.of(LINK.namespace).local.disconnectSockets(true);
    this.io?.engine.close();
    // A closed engine leaves who comes now without an answer; refused, a harness tries the next controller at once.
    const httpServer = this.http.httpAdapter.getHttpServer() as HttpServer;
    httpServer.prependListener('upgrade', (_request, socket) => void socket.destroy());
    if (this.io !== undefined) this.adapter.close([this.io.of('/').adapter, this.io.of(LINK.namespace).adapter]);
    await Promise.all(this.goodbyes);
    const done = new AbortController();
    void Promise.allSettled(this.atWork).then(() => done.abort());
    await systemClock.sleep(FINISH_FRAMES_MS, done.signal).catch(() => undefined);
  }

  private accept(connection: Connection): void {
    const { socket, agent, incarnation } = connection;
    const ids = { agentId: agent.agentId, incarnation };
    const connectedAt = performance.now();
    this.logger.log(ids, 'harness connected');
    void socket.join(agent.agentId);
    for (const name of Object.keys(HARNESS_FRAMES) as HarnessFrame[]) this.answer(connection, name);
    socket.on('disconnect', (reason) => {
      this.logger.log(
        { ...ids, reason, connectedMs: Math.round(performance.now() - connectedAt) },
        'harness disconnected',
      );
      const hasLeft = connection.isLeaving && reason === 'client namespace disconnect';
      const goodbye = this.noteGoodbye(connection, hasLeft).finally(() => this.goodbyes.delete(goodbye));
      this.goodbyes.add(goodbye);
    });
  }

  private async noteGoodbye(connection: Connection, hasLeft: boolean): Promise<void> {
    const { agent, incarnation } = connection;
    const sessions = [...connection.sessions];
    if (!this.connections.remove(connection)) return;
    for (const sessionId of sessions) this.ingest.forget(sessionId);
    const scope = orgScope(agent.orgId);
    try {
      // While this controller is leaving, its harnesses go to another one or come back to the next.
      if (!this.state.draining) {
        await this.presence.socketClosed(scope, agent.agentId, connection, connection.isLeaving);
      }
      for (const sessionId of sessions) await this.lifecycle.disconnected(scope, sessionId, connection.id, hasLeft);
    } catch (error) {
      this.logger.warn({ err: error, agentId: agent.agentId, incarnation }, 'a disconnect could not be noted');
    }
  }

  /** One frame: checked against its schema, handled, acked; whatever goes wrong is an error ack and the link lives. */
  private answer(connection: Connection, name: HarnessFrame): void {
    const handler = this.frames.handlers[name] as (connection: Connection, body: unknown) => Promise<object>;
    const handle = async (body: unknown): Promise<object> => {
      const parsed = HARNESS_FRAMES[name].safeParse(body);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        const message = `${name}: ${issue?.path.map(String).join('.') ?? ''} ${issue?.message ?? 'is not valid'}`;
        throw new ReinsError('frame_invalid', { message });
      }
      return handler(connection, parsed.data);
    };
    connection.socket.on(name, (body: unknown, ack: unknown) => {
      const reply = typeof ack === 'function' ? (ack as (answer: object) => void) : () => undefined;
      const work = handle(body).then(reply, (thrown: unknown) => {
        const error = toReinsError(thrown);
        const { code, message, retryAfterMs } = error;
        if (error.spec.status >= 500) this.logger.error({ err: error.cause ?? error, frame: name }, message);
        reply({ error: { code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } });
      });
      this.atWork.add(work);
      void work.finally(() => this.atWork.delete(work));
    });
  }

  private listen(): void {
    this.bus.subscribe('turn.queued', ({ sessionId }) => this.ring(sessionId));
    this.bus.subscribe('command.queued', async ({ orgId, sessionId }) => {
      const connection = this.connections.ofSession(sessionId);
      if (connection === undefined) return;
      const open = await this.commands.open(orgScope(orgId), [sessionId]);
      await Promise.all(open.map((command) => this.connections.deliver(connection, command)));
    });
    this.bus.subscribe('agent.revoked', ({ agentId, reason }) => {
      const connection = this.connections.ofAgent(agentId);
      if (connection !== undefined) this.connections.dismiss(connection, reason);
    });
    this.bus.subscribe('agent.connected', ({ agentId, incarnation }) => {
      const connection = this.connections.ofAgent(agentId);
      if (connection !== undefined && connection.incarnation !== incarnation) {
        this.connections.dismiss(connection, 'superseded');
      }
    });
    this.bus.subscribe(
      'agent.attached',
      ({ orgId, agentId, connectionId }) => this.outdated(orgId, agentId, connectionId),
      'elsewhere',
    );
    // Whoever hears of it first tells the agent, wherever it is.
    this.bus.subscribe(
      'agent.configured',
      ({ agentId, configVersion }) => {
        const here = this.connections.ofAgent(agentId);
        if (here !== undefined) here.socket.emit('wake', { configVersion });
        else this.io?.of(LINK.namespace).to(agentId).emit('wake', { configVersion });
      },
      'here',
    );
  }

  /** The agent said hello to another controller. What is stored decides which of its connections is the newer one. */
  private async outdated(orgId: string, agentId: string, connectionId: string): Promise<void> {
    const connection = this.connections.ofAgent(agentId);
    if (connection === undefined || connection.id === connectionId) return;
    const newest = await this.presence.connectionOf(orgScope(orgId), agentId);
    if (newest !== undefined && newest !== connection.id) this.connections.retire(connection);
  }

  /** A held pull is answered by the queue itself; the bell is for a harness that is between two pulls. */
  private ring(sessionId: string): void {
    if (!this.queue.isAwaited(sessionId)) this.connections.ofSession(sessionId)?.socket.emit('wake', {});
  }
}

/** socket.io passes `data` of the error on to the client. */
function connectError(error: ReinsError): Error {
  const { code, message, retryAfterMs } = error;
  return Object.assign(new Error(message), {
    data: { code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  });
}
