import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type SessionDescriptor } from '@reins/shared/link/connect';
import { type Command, type Hello, type PulledTurn, type Welcome } from '@reins/shared/link/frames';
import { LINK } from '@reins/shared/link/limits';
import { type Clock, isoTime, systemClock } from '@reins/shared/util/clock';
import { type Rng, systemRng } from '@reins/shared/util/rng';
import { childEnvironment } from './config/child-env';
import { type HarnessConfig } from './config/config.schema';
import { mergeSettings } from './config/settings';
import { type DriverFactory } from './drivers/driver.port';
import { HeartbeatLoop } from './heartbeat/heartbeat-loop';
import { EXIT, type Exit } from './lifecycle/exit-codes';
import { type AgentConfiguration, ControllerApi } from './link/controller-api';
import { Link, type LinkEnd, type LinkHandlers } from './link/link';
import { describeError, type Logger, type Secrets } from './log/logger';
import { Session, type SessionHost } from './sessions/session';
import { Puller } from './turns/puller';

export interface HarnessOptions {
  config: HarnessConfig;
  version: string;
  incarnation: string;
  supportedTypes: readonly string[];
  loadDriver: (cliType: string) => Promise<DriverFactory>;
  log: Logger;
  secrets: Secrets;
  clock?: Clock;
  rng?: Rng;
  /** How long an agent may take to stop when asked. */
  softStopMs?: number;
}

const CAPABILITIES = ['deltas', 'resume', 'usage', 'blobs'];
const SESSION_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** Kept of the drain time for the last events and for ending the agents. */
const DRAIN_RESERVE_MS = 2_000;

/** The whole harness: one link, the sessions it serves, and the order in which it starts and stops. */
export class Harness {
  private readonly sessions = new Map<string, Session>();
  private readonly nextEvents = new Map<string, number>();
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly api: ControllerApi;
  private readonly link: Link;
  private readonly puller: Puller;
  private readonly heartbeat: HeartbeatLoop;
  private readonly childEnv: Readonly<Record<string, string>>;
  private readonly bootAt: string;
  private configuration: AgentConfiguration | undefined;
  private draining = false;
  private refreshing = false;
  private helloAt = 0;
  private helloSessions: ReadonlySet<string> = new Set();
  private lastWelcome: Welcome | undefined;
  private controllerLeaves = false;
  private stopping: Promise<Exit> | undefined;
  private settle: (exit: Exit) => void = () => undefined;

  constructor(private readonly options: HarnessOptions) {
    const { config, version, incarnation, supportedTypes, secrets, clock = systemClock, rng = systemRng } = options;
    this.clock = clock;
    this.log = options.log.child({ agentId: config.agentId, incarnation });
    this.bootAt = isoTime(clock.now());
    this.childEnv = childEnvironment(config.env);
    const { baseUrl, agentId, agentSecret, maxLanes } = config;
    const identity = { baseUrl, agentId, agentSecret, incarnation, version };
    this.api = new ControllerApi({ ...identity, supportedTypes: [...supportedTypes], capacity: maxLanes, secrets });
    this.link = new Link({ api: this.api, incarnation, handlers: this.handlers(), log: this.log, clock, rng });
    this.puller = new Puller({
      wanted: () => this.wanted(),
      pull: (body) => this.link.request('turn.pull', body, LINK.pullHoldMs + LINK.ackTimeoutMs),
      onTurn: (turn) => this.turnArrived(turn),
      log: this.log,
      clock,
      rng,
    });
    this.heartbeat = new HeartbeatLoop({
      sessions: () => [...this.sessions.values()],
      configVersion: () => this.configuration?.configVersion ?? '',
      send: (body) => this.link.request('heartbeat', body),
      isUp: () => this.link.up,
      onCommand: (command) => this.command(command),
      onConfigVersion: (version_) => void this.refreshConfiguration(version_),
      log: this.log,
      clock,
    });
  }

  get status(): { connected: boolean; sessions: number } {
    return { connected: this.link.up, sessions: this.sessions.size };
  }

  /** Serves until the controller or `stop` ends it; answers how the process should exit. Rejects on a fault of its own. */
  async run(): Promise<Exit> {
    const settled = new Promise<Exit>((resolve) => (this.settle = resolve));
    const over = this.link.run().then((end) => this.linkOver(end));
    const exit = await Promise.race([settled, over]);
    this.puller.stop();
    this.link.close();
    await this.heartbeat.stop();
    await Promise.all([...this.sessions.values()].map((session) => session.close()));
    return exit;
  }

  /** SIGTERM: no new turns, those that run may finish within the drain time, then everything is sent and ended. */
  stop(reason: string): Promise<Exit> {
    return (this.stopping ??= this.drain(reason));
  }

  private async drain(reason: string): Promise<Exit> {
    this.draining = true;
    const { drainMs } = this.options.config;
    this.log.info('draining', { reason, deadlineMs: drainMs });
    this.puller.stop();
    await this.link
      .request('draining', { reason, deadlineMs: drainMs }, 1000)
      .catch((error: unknown) => this.log.debug('draining was not heard', { reason: describeError(error) }));
    const sessions = [...this.sessions.values()];
    const graceMs = Math.max(0, drainMs - DRAIN_RESERVE_MS);
    await Promise.all(sessions.map((session) => session.quiesce('drain', graceMs)));
    const flushed = await Promise.all(sessions.map((session) => session.flush(DRAIN_RESERVE_MS)));
    if (flushed.includes(false)) this.log.warn('some events did not reach the controller');
    const exit = { code: EXIT.ok };
    this.settle(exit);
    return exit;
  }

  private handlers(): LinkHandlers {
    return {
      configured: (configuration) => this.configured(configuration),
      hello: () => this.hello(),
      welcomed: (welcome) => this.welcomed(welcome),
      down: () => this.sessions.forEach((session) => session.linkDown()),
      wake: ({ configVersion }) => {
        if (configVersion !== undefined) void this.refreshConfiguration(configVersion);
        this.puller.kick();
        for (const session of this.sessions.values()) void session.pullCommands();
      },
      command: (command, ack) => {
        ack({ received: true });
        this.command(command);
      },
      bind: ({ session }, ack) => {
        if (!SESSION_ID.test(session.id)) {
          return ack({ error: { code: 'frame_invalid', message: 'the id of the session is malformed' } });
        }
        this.bind(session);
        const { lastWelcome } = this;
        if (this.link.up && lastWelcome !== undefined) {
          this.sessions.get(session.id)?.open(lastWelcome.credit, lastWelcome.limits);
        }
        ack({ bound: true });
      },
      unbind: ({ sessionId, reason }, ack) => {
        ack({ ok: true });
        void this.unbind(sessionId, reason);
      },
      drain: () => (this.controllerLeaves = true),
    };
  }

  private configured(configuration: AgentConfiguration): void {
    this.configuration = configuration;
    this.heartbeat.start(configuration.link.heartbeatMs);
    if (configuration.session !== null) this.bind(configuration.session);
  }

  private hello(): Hello {
    this.controllerLeaves = false;
    this.helloAt = this.clock.monotonic();
    this.helloSessions = new Set(this.sessions.keys());
    return {
      bootAt: this.bootAt,
      harness: { version: this.options.version, capabilities: CAPABILITIES },
      slots: this.wanted()?.slots ?? 0,
      sessions: [...this.sessions.values()].map((session) => session.hello()),
    };
  }

  private welcomed(welcome: Welcome): void {
    this.lastWelcome = welcome;
    const named = new Set(welcome.sessions.map(({ sessionId }) => sessionId));
    for (const answer of welcome.sessions) {
      this.bind(answer.session);
      this.sessions.get(answer.sessionId)?.welcome(answer, welcome.credit, welcome.limits, this.helloAt);
    }
    for (const session of this.sessions.values()) {
      if (named.has(session.id)) continue;
      // Given to us since hello was written; anything else was taken away while the link was down.
      if (!this.helloSessions.has(session.id)) session.open(welcome.credit, welcome.limits);
      else if (this.configuration?.session === null) void this.unbind(session.id, 'not named in the welcome');
    }
    this.controllerLeaves = welcome.drain;
    this.puller.kick();
    this.heartbeat.trigger();
  }

  private bind(descriptor: SessionDescriptor): void {
    if (this.sessions.has(descriptor.id) || this.draining || !SESSION_ID.test(descriptor.id)) return;
    const { config, incarnation } = this.options;
    const isManaged = this.configuration?.session != null;
    const stateDir = join(config.stateDir, 'sessions', descriptor.id);
    // What an earlier process could not send belongs to numbers that ended with it.
    rmSync(join(stateDir, 'spool'), { recursive: true, force: true });
    const session = new Session({
      descriptor,
      workspace: isManaged ? config.workspace : join(config.workspace, descriptor.id),
      stateDir,
      incarnation,
      maxLanes: config.maxLanes,
      firstEvent: this.nextEvents.get(descriptor.id) ?? 1,
      host: this.host(),
      log: this.log,
      clock: this.clock,
      ...(this.options.softStopMs === undefined ? {} : { softStopMs: this.options.softStopMs }),
    });
    this.sessions.set(descriptor.id, session);
    session.start().catch((error: unknown) => this.bootstrapFailed(session, isManaged, error));
  }

  /** The reason goes into the session's log before the process says it with its exit code. */
  private async bootstrapFailed(session: Session, isManaged: boolean, error: unknown): Promise<void> {
    const message = describeError(error);
    this.log.error('the workspace could not be made', { sessionId: session.id, reason: message });
    await session.flush();
    if (isManaged) this.settle({ code: EXIT.workspace, message });
    else await this.unbind(session.id, message);
  }

  private async unbind(sessionId: string, reason: string): Promise<void> {
    const session = this.sessions.get(sessionId);
    if (session === undefined) return;
    this.log.info('session unbound', { sessionId, reason });
    this.sessions.delete(sessionId);
    // Should the session come back to this process, its numbers go on: the controller drops those it has seen.
    this.nextEvents.set(sessionId, session.channel.out.next);
    await session.close();
  }

  private host(): SessionHost {
    return {
      request: (frame, body) => this.link.request(frame, body),
      configuration: () => ({
        instruction: this.configuration?.instruction ?? '',
        settings: mergeSettings(this.configuration?.settings ?? {}, this.options.config.env),
        allowedTools: (this.configuration?.tools ?? []).flatMap(({ name }) => (typeof name === 'string' ? [name] : [])),
        mcpServers: withoutUndefined(this.configuration?.mcpServers ?? {}),
      }),
      childEnv: this.childEnv,
      loadDriver: this.options.loadDriver,
      fetchPrompt: (promptUrl, signal) => this.api.fetchPrompt(promptUrl, signal),
      upload: (sessionId, ...upload) => this.api.uploadBlob(sessionId, ...upload),
      leaseMs: () => this.configuration?.link.leaseMs ?? LINK.leaseMs,
      onChange: () => this.puller.kick(),
      onDoubt: () => this.heartbeat.trigger(),
      onLost: () => this.link.reconnect('the controller expects events that are gone'),
    };
  }

  private wanted(): { sessions: string[]; slots: number } | undefined {
    if (this.draining || this.controllerLeaves || !this.link.up) return undefined;
    const free = [...this.sessions.values()].filter((session) => session.freeLanes > 0);
    if (free.length === 0) return undefined;
    return { sessions: free.map(({ id }) => id), slots: free.reduce((sum, { freeLanes }) => sum + freeLanes, 0) };
  }

  private turnArrived(turn: PulledTurn): void {
    const session = this.sessions.get(turn.sessionId);
    if (session !== undefined) return session.accept(turn);
    const { sessionId, turnId, generation } = turn;
    this.link
      .request('turn.lost', { sessionId, turnId, generation, reason: 'the session is not here' })
      .catch((error: unknown) => this.log.debug('turn.lost was not heard', { turnId, reason: describeError(error) }));
  }

  private command(command: Command): void {
    this.sessions.get(command.sessionId)?.offer(command);
  }

  private async refreshConfiguration(version: string): Promise<void> {
    if (this.refreshing || version === this.configuration?.configVersion) return;
    this.refreshing = true;
    try {
      this.configuration = await this.api.configuration();
      this.log.info('configuration updated', { configVersion: this.configuration.configVersion });
    } catch (error) {
      // The next heartbeat's answer names the version again.
      this.log.warn('the configuration could not be fetched', { reason: describeError(error) });
    } finally {
      this.refreshing = false;
    }
  }

  private linkOver(end: LinkEnd): Promise<Exit> | Exit {
    if (end.reason === 'closed') return this.stopping ?? { code: EXIT.ok };
    const isManaged = this.configuration?.session != null;
    if (end.reason === 'ended' || (end.reason === 'superseded' && isManaged)) {
      this.log.info('the link is over', { reason: end.reason });
      return { code: EXIT.ok, ...(end.reason === 'ended' ? {} : { message: end.message }) };
    }
    this.log.error('the link is over and needs somebody to look at it', { reason: end.reason, detail: end.message });
    return { code: EXIT.refused, message: end.message };
  }
}

type McpServers = ReturnType<SessionHost['configuration']>['mcpServers'];

function withoutUndefined(servers: AgentConfiguration['mcpServers']): McpServers {
  return Object.fromEntries(
    Object.entries(servers).map(([name, { headers, ...server }]) => [
      name,
      headers === undefined ? server : { ...server, headers },
    ]),
  );
}
