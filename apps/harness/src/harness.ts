import { type Command, type Hello, type PulledTurn, type Welcome } from '@reins/shared/link/frames';
import { LINK } from '@reins/shared/link/limits';
import { isoTime, systemClock } from '@reins/shared/util/clock';
import { systemRng } from '@reins/shared/util/rng';
import { type AgentContext } from './agent/agent-context';
import { ConfiguredAgent } from './agent/configured-agent';
import { type BridgeState } from './bridges/bridge-runner';
import { Bridges } from './bridges/bridges';
import { childEnvironment } from './config/child-env';
import { localInstruction } from './config/local-configuration';
import { Drain } from './drain/drain';
import { Rotation } from './enrollment/rotation';
import { type HarnessOptions } from './harness-options';
import { type HarnessStatus } from './health/health-report';
import { HeartbeatLoop } from './heartbeat/heartbeat-loop';
import { EXIT, type Exit } from './lifecycle/exit-codes';
import { exitOfLink } from './lifecycle/exit-of-link';
import { type AgentConfiguration, ControllerApi } from './link/controller-api';
import { Link, type LinkHandlers } from './link/link';
import { type LinkEnd } from './link/link-end';
import { describeError, type Logger } from './log/logger';
import { ClientCounters } from './metrics/counters';
import { HostedSessions } from './sessions/hosted-sessions';
import { type SessionHost } from './sessions/session-host';
import { SpotWatch } from './spot/watch';
import { Puller } from './turns/puller';

const CAPABILITIES = ['deltas', 'resume', 'usage', 'blobs'];
const ALONE_LOOK_MS = 60 * 60 * 1000;

/** The whole harness: one link, the sessions it serves, and the order in which it starts and stops. */
export class Harness {
  private readonly log: Logger;
  private readonly api: ControllerApi;
  private readonly link: Link;
  private readonly configured: ConfiguredAgent;
  private readonly sessions: HostedSessions;
  private readonly puller: Puller;
  private readonly heartbeat: HeartbeatLoop;
  private readonly rotation: Rotation;
  private readonly bridges: Bridges;
  private readonly leaving: Drain;
  private readonly spot: SpotWatch;
  private readonly childEnv: Readonly<Record<string, string>>;
  private readonly bootAt: string;
  private readonly over = new AbortController();
  private refused = false;
  private controllerLeaves = false;
  private stopping: Promise<Exit> | undefined;
  private settle: (exit: Exit) => void = () => undefined;

  constructor(private readonly options: HarnessOptions) {
    const { config, version, incarnation, supportedTypes, secrets, clock = systemClock, rng = systemRng } = options;
    const log = options.log.child({ agentId: config.agentId, incarnation });
    this.log = log;
    this.bootAt = isoTime(clock.now());
    this.childEnv = childEnvironment(config.env);
    const counters = options.counters ?? new ClientCounters(clock);
    const { baseUrl, agentId, agentSecret, maxSessions } = config;
    const identity = { baseUrl, agentId, agentSecret, incarnation, version };
    this.api = new ControllerApi({
      ...identity,
      supportedTypes: [...supportedTypes],
      capacity: config.managed ? 1 : maxSessions,
      timeoutMs: config.httpTimeoutMs,
      onTokenRefused: () => this.link.renew(),
      secrets,
      log,
    });
    this.link = new Link({
      api: this.api,
      incarnation,
      handlers: this.handlers(),
      retryMs: config.managed ? undefined : config.retryMs,
      counters,
      log,
      clock,
      rng,
    });
    this.configured = new ConfiguredAgent({
      env: config.env,
      fetch: () => this.api.configuration(),
      localInstruction: () => localInstruction(config.instructionFile, log),
      onUpdate: () => counters.configUpdated(),
      log,
    });
    this.sessions = new HostedSessions({
      config,
      incarnation,
      supportedTypes,
      host: this.host(),
      isManaged: () => this.configured.isManaged,
      onHopeless: (message) => this.settle({ code: EXIT.workspace, message }),
      log,
      clock,
      ...(options.softStopMs === undefined ? {} : { softStopMs: options.softStopMs }),
    });
    this.configured.onConfigured(() => {
      const session = this.configured.remote?.session;
      if (session != null) this.sessions.bind(session);
    });
    this.rotation = new Rotation({
      rotateSecret: (signal) => this.api.rotateSecret(signal),
      file: options.credentialsFile,
      log,
      clock,
      rng,
    });
    this.configured.onConfigured(() => this.rotation.wanted(this.configured.remote?.credentials?.rotationRequestedAt));
    this.bridges = new Bridges({
      agent: this.configured,
      mayServe: () => !this.configured.isManaged,
      env: config.env,
      workspace: config.workspace,
      stateDir: config.stateDir,
      childEnv: this.childEnv,
      loadDriver: options.loadDriver,
      maxParallel: config.maxLanes,
      secrets,
      log,
      clock,
      rng,
      ...(options.softStopMs === undefined ? {} : { softStopMs: options.softStopMs }),
    });
    this.puller = new Puller({
      wanted: () => this.wanted(),
      pull: (body) => this.link.request('turn.pull', body, LINK.pullHoldMs + LINK.ackTimeoutMs),
      onTurn: (turn) => this.turnArrived(turn),
      log,
      clock,
      rng,
    });
    this.heartbeat = new HeartbeatLoop({
      sessions: () => this.sessions.all,
      configVersion: () => this.configured.remote?.configVersion ?? '',
      send: (body) => this.link.request('heartbeat', body),
      isUp: () => this.link.up,
      onCommand: (command) => this.command(command),
      onConfigVersion: (named) => void this.configured.refresh(named),
      counters,
      log,
      clock,
    });
    this.leaving = new Drain({
      drainMs: config.drainMs,
      tell: (body) => this.link.request('draining', body, 1000),
      refuseWork: () => {
        this.sessions.close();
        this.puller.stop();
      },
      sessions: () => this.sessions.all,
      endBeside: (graceMs) => this.bridges.stop(graceMs),
      log,
      clock,
    });
    this.spot = new SpotWatch({
      ...config.spotNotice,
      onNotice: ({ at }) => {
        log.warn('this machine goes away', { at: at === undefined ? undefined : isoTime(at) });
        void this.stop('spot_notice', at === undefined ? undefined : at - clock.now());
      },
      log,
      clock,
    });
  }

  /** What bridges and other parts beside the link may know of the agent. */
  get agent(): AgentContext {
    return this.configured;
  }

  /** How the platform bridges are. */
  get bridgeStates(): BridgeState[] {
    return this.bridges.states;
  }

  get status(): HarnessStatus {
    const sessions = this.sessions.all;
    return {
      phase: this.refused
        ? 'refused'
        : this.leaving.isGoing
          ? 'stopping'
          : this.configured.isConfigured
            ? 'working'
            : 'starting',
      connected: this.link.connected,
      mode: this.configured.mode,
      configVersion: this.configured.remote?.configVersion ?? '',
      sessions: sessions.length,
      turnsRunning: sessions.reduce((sum, { runningTurns }) => sum + runningTurns, 0),
    };
  }

  /** Serves until the controller or `stop` ends it; answers how the process should exit. Rejects on a fault of its own. */
  async run(): Promise<Exit> {
    const settled = new Promise<Exit>((resolve) => (this.settle = resolve));
    this.bridges.start();
    void this.spot.run();
    const exit = await Promise.race([settled, this.linkRun()]);
    this.over.abort();
    this.spot.stop();
    this.puller.stop();
    this.link.close();
    await this.heartbeat.stop();
    await this.rotation.stop();
    await this.bridges.stop(0);
    await Promise.all(this.sessions.all.map((session) => session.close('kept')));
    if (this.leaving.isGoing) await this.api.disconnect('the harness was stopped');
    return exit;
  }

  private async linkRun(): Promise<Exit> {
    if (this.options.config.enabled) return this.linkOver(await this.link.run());
    this.log.info('working from local configuration: AIWM_ENABLED is false');
    this.configured.fallBack();
    // Only a timer keeps a process running that talks to nobody.
    const { clock = systemClock } = this.options;
    while (!this.over.signal.aborted) await clock.sleep(ALONE_LOOK_MS, this.over.signal).catch(() => undefined);
    return { code: EXIT.ok };
  }

  /**
   * No new turns; those that run may finish within the drain time or `withinMs`, then everything is sent and ended. Said
   * again, it changes nothing.
   */
  stop(reason: string, withinMs?: number): Promise<Exit> {
    return (this.stopping ??= this.leaving.run(reason, withinMs).then(() => {
      const exit = { code: EXIT.ok };
      this.settle(exit);
      return exit;
    }));
  }

  /** Of a stop that is under way only the last events are still waited for. */
  hurry(): void {
    this.leaving.hurry();
  }

  private handlers(): LinkHandlers {
    return {
      configured: (configuration) => this.connected(configuration),
      unreachable: () => {
        this.log.warn('working from local configuration until the controller can be reached');
        this.configured.fallBack();
      },
      vitals: () => this.heartbeat.vitals(),
      hello: () => this.hello(),
      welcomed: (welcome) => this.welcomed(welcome),
      down: () => this.sessions.linkDown(),
      wake: ({ configVersion }) => {
        if (configVersion !== undefined) void this.configured.refresh(configVersion);
        this.puller.kick();
        for (const session of this.sessions.all) void session.pullCommands();
      },
      command: (command, ack) => {
        ack({ received: true });
        this.command(command);
      },
      bind: ({ session }, ack) => {
        const refusal = this.sessions.bind(session);
        if (refusal !== undefined) return ack({ error: refusal });
        if (this.link.up) this.sessions.open(session.id);
        ack({ bound: true });
      },
      unbind: ({ sessionId, reason, remove }, ack) => {
        void this.sessions.unbind(sessionId, reason, remove).then(() => ack({ ok: true }));
      },
      drain: () => (this.controllerLeaves = true),
    };
  }

  private connected(configuration: AgentConfiguration): void {
    this.configured.apply(configuration);
    if (configuration.link !== undefined) this.heartbeat.start(configuration.link.heartbeatMs);
  }

  private hello(): Hello {
    this.controllerLeaves = false;
    return {
      bootAt: this.bootAt,
      harness: { version: this.options.version, capabilities: CAPABILITIES },
      slots: this.wanted()?.slots ?? 0,
      sessions: this.sessions.hello(),
    };
  }

  private welcomed(welcome: Welcome): void {
    void this.leaving.tell();
    this.sessions.welcomed(welcome);
    this.controllerLeaves = welcome.drain;
    this.puller.kick();
    this.heartbeat.trigger();
  }

  private host(): SessionHost {
    return {
      request: (frame, body) => this.link.request(frame, body),
      configuration: () => this.configured.configuration(),
      childEnv: this.childEnv,
      loadDriver: this.options.loadDriver,
      fetchPrompt: (promptUrl, signal) => this.api.fetchPrompt(promptUrl, signal),
      upload: (sessionId, ...upload) => this.api.uploadBlob(sessionId, ...upload),
      leaseMs: () => this.configured.remote?.link?.leaseMs ?? LINK.leaseMs,
      onChange: () => this.puller.kick(),
      onDoubt: () => this.heartbeat.trigger(),
      onLost: () => this.link.reconnect('the controller expects events that are gone'),
    };
  }

  private wanted(): { sessions: string[]; slots: number } | undefined {
    if (this.leaving.isGoing || this.controllerLeaves || !this.link.up) return undefined;
    return this.sessions.wanted();
  }

  private turnArrived(turn: PulledTurn): void {
    const session = this.sessions.get(turn.sessionId);
    if (session !== undefined && !this.leaving.isGoing) return session.accept(turn);
    const { sessionId, turnId, generation } = turn;
    const reason = session === undefined ? 'the session is not here' : 'the harness is leaving';
    this.link
      .request('turn.lost', { sessionId, turnId, generation, reason })
      .catch((error: unknown) => this.log.debug('turn.lost was not heard', { turnId, reason: describeError(error) }));
  }

  private command(command: Command): void {
    this.sessions.get(command.sessionId)?.offer(command);
  }

  private linkOver(end: LinkEnd): Promise<Exit> | Exit {
    if (end.reason === 'closed' && this.stopping !== undefined) return this.stopping;
    const exit = exitOfLink(end, this.configured.isManaged, this.options.credentialsFile);
    this.refused = exit.alert !== undefined;
    if (exit.alert !== undefined) this.log.error('ALERT', { event: exit.alert, reason: exit.message });
    else if (end.reason !== 'closed') this.log.info('the link is over', { reason: end.reason });
    return exit;
  }
}
