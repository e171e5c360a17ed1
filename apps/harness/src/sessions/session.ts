import { join } from 'node:path';
import { type SessionDescriptor } from '@reins/shared/link/connect';
import { type Command, type Hello, type PulledTurn, type Welcome } from '@reins/shared/link/frames';
import { type CommandResult } from '../commands/inbox';
import { SessionCommands } from '../commands/session-commands';
import { EventChannel } from '../events/event-channel';
import { Leftovers } from '../events/leftovers';
import { describeError, type Logger } from '../log/logger';
import { Lanes } from '../turns/lanes';
import { Lease } from '../turns/lease';
import { LiveTurn, type StopCause } from '../turns/live-turn';
import { TurnRunner } from '../turns/turn-runner';
import { bootstrapWorkspace } from '../workspace/bootstrap';
import { instructionFileName } from '../workspace/instruction-file';
import { ReadyReport } from './ready-report';
import { SessionDefinition } from './session-definition';
import { type SessionOptions } from './session-options';
import { SessionRepositories } from './session-repositories';
import { SessionState } from './session-state';

/** Kept of an end's deadline for commit, push and the last events. */
const END_RESERVE_MS = 5_000;
const FLUSH_MS = 10_000;
const LEAVE_FLUSH_MS = 2_000;

/** One session at work in this harness: its workspace, events, commands and turns. */
export class Session {
  readonly channel: EventChannel;
  private readonly state: SessionState;
  private readonly definition: SessionDefinition;
  private readonly repositories: SessionRepositories;
  private readonly leftovers: Leftovers;
  private readonly commands: SessionCommands;
  private readonly lanes: Lanes;
  private readonly runner: TurnRunner;
  private readonly readiness: ReadyReport;
  private readonly turns = new Map<string, LiveTurn>();
  private readonly log: Logger;
  private phase: 'starting' | 'ready' | 'ending' | 'closed' = 'starting';

  constructor(private readonly options: SessionOptions) {
    const { descriptor, stateDir, incarnation, host, clock } = options;
    this.log = options.log.child({ sessionId: descriptor.id });
    this.definition = new SessionDefinition({
      descriptor,
      workspace: options.workspace,
      host,
      report: (message) => this.report('error', message),
    });
    this.state = new SessionState(join(stateDir, 'state.json'));
    this.channel = new EventChannel({
      sessionId: descriptor.id,
      directory: join(stateDir, 'spool', incarnation),
      push: (body) => host.request('events', body),
      onFenced: (turnIds) => turnIds.forEach((turnId) => this.fence(turnId)),
      onLost: host.onLost,
      firstNumber: options.firstEvent,
      maySend: () => this.leasesHold(),
      log: this.log,
      clock,
    });
    this.leftovers = new Leftovers({
      directory: join(stateDir, 'spool'),
      incarnation,
      publish: (event) => this.channel.publish(event),
    });
    this.repositories = new SessionRepositories({
      workspace: options.workspace,
      descriptor: () => this.definition.descriptor,
      env: host.childEnv,
      report: (level, message) => this.channel.publish({ type: 'log', data: { level, message } }),
    });
    this.lanes = new Lanes({
      loadDriver: () => host.loadDriver(descriptor.cliType),
      setup: () => ({
        ...this.definition.configuration(),
        session: this.definition.descriptor,
        workspace: options.workspace,
        stateDir: join(stateDir, 'agent'),
        env: host.childEnv,
      }),
      prepare: ({ instruction }) => this.definition.write(instruction),
      resumeIdOf: (lane) => this.conversationOf(lane),
      maxWarm: options.maxLanes,
      log: this.log,
    });
    const instructionFile = instructionFileName(descriptor.cliType);
    this.runner = new TurnRunner({
      workspace: options.workspace,
      ignoredFiles: new Set(instructionFile === undefined ? [] : [instructionFile]),
      defaultTimeoutMs: () => this.definition.descriptor.limits.turnTimeoutMs,
      channel: this.channel,
      lanes: this.lanes,
      report: (frame, body) => host.request(frame, body),
      fetchPrompt: host.fetchPrompt,
      upload: (...upload) => host.upload(descriptor.id, ...upload),
      conversationOf: (lane) => this.conversationOf(lane),
      setConversation: (lane, id) => this.state.setConversation(lane, id),
      log: this.log,
      clock,
      ...(options.softStopMs === undefined ? {} : { softStopMs: options.softStopMs }),
    });
    this.readiness = new ReadyReport({
      send: (timings) => host.request('ready', { sessionId: descriptor.id, timings }),
      isWanted: () => this.phase === 'ready',
      onChange: host.onChange,
      log: this.log,
      clock,
    });
    this.commands = new SessionCommands({
      sessionId: descriptor.id,
      state: this.state,
      apply: (command) => this.apply(command),
      pull: (body) => host.request('commands.pull', body),
      acknowledge: (body) => host.request('command.ack', body),
      log: this.log,
      clock,
    });
  }

  get id(): string {
    return this.options.descriptor.id;
  }

  /** Lanes a new turn could run in; none until the workspace is ready and once the session ends. */
  get freeLanes(): number {
    if (this.phase !== 'ready' || !this.readiness.isHeard) return 0;
    const busy = [...this.turns.values()].filter(({ state }) => state !== 'finishing').length;
    return Math.max(0, this.options.maxLanes - busy);
  }

  get liveTurns(): readonly LiveTurn[] {
    return [...this.turns.values()];
  }

  get runningTurns(): number {
    return this.liveTurns.filter(({ state }) => state !== 'finishing').length;
  }

  get lastCommand(): SessionState['lastCommand'] {
    return this.state.lastCommand;
  }

  /** Whether nothing that was made in its repositories is lost with its folder. */
  get mayBeRemoved(): boolean {
    return this.repositories.mayBeRemoved;
  }

  /** The session as its worker is defined now: the next turn of each lane goes by it, a running one keeps its own. */
  reconfigure(descriptor: SessionDescriptor): void {
    this.definition.replace(descriptor);
  }

  /** Makes the workspace and says so. Rejects with CloneFailed where a repository cannot be had. */
  async start(): Promise<void> {
    const { workspace, descriptor, host, clock } = this.options;
    await this.definition.resolve();
    const { instruction } = this.definition.configuration();
    const timings = await bootstrapWorkspace({
      workspace,
      session: descriptor,
      instruction,
      env: host.childEnv,
      clock,
      onProgress: (level, message) => this.report(level, message),
    });
    this.definition.noteWritten(instruction);
    if (this.phase === 'starting') this.phase = 'ready';
    await this.readiness.made(timings);
  }

  hello(): Hello['sessions'][number] {
    return {
      sessionId: this.id,
      out: this.channel.out,
      lastCommand: this.state.lastCommand,
      turns: [
        ...this.leftovers.endedTurns.map((turn) => ({ ...turn, state: 'running' as const })),
        ...this.liveTurns.map((turn) => turn.hello(this.conversationOf(turn.lane))),
      ],
    };
  }

  /** The controller's view after a new connection: which turns are still ours, and where the events go on. */
  welcome(answer: Welcome['sessions'][number], credit: number, limits: Welcome['limits'], sentAt: number): void {
    for (const { turnId, generation, verdict } of answer.turns) {
      const turn = this.turns.get(turnId);
      if (turn === undefined || turn.generation !== generation) continue;
      if (verdict === 'continue') turn.lease.renew(sentAt);
      else this.fence(turnId);
    }
    this.channel.resume(answer.acked, credit, limits);
    this.adopt(answer);
    this.commands.resume();
    void this.readiness.say();
  }

  /** For a session that came with a standing connection, and so was in no hello: its events start here. */
  open(credit: number, limits: Welcome['limits']): void {
    this.channel.resume(this.channel.out.spooledFrom - 1, credit, limits);
    this.adopt({ turns: [] });
    void this.readiness.say();
  }

  linkDown(): void {
    this.channel.suspend();
  }

  accept(pulled: PulledTurn): void {
    const known = this.turns.get(pulled.turnId);
    if (known !== undefined && known.generation >= pulled.generation) return;
    known?.stop('fenced');
    const { clock, host } = this.options;
    const turn = new LiveTurn(pulled, new Lease(clock, host.leaseMs()), clock);
    this.turns.set(turn.id, turn);
    this.log.info('turn leased', { turnId: turn.id, lane: turn.lane, generation: turn.generation });
    if (this.phase !== 'ready') turn.stop(this.phase === 'ending' ? 'end' : 'drain');
    void this.run(turn);
  }

  renew(turnId: string, generation: number, sentAt: number): void {
    const turn = this.turns.get(turnId);
    if (turn?.generation !== generation) return;
    turn.lease.renew(sentAt);
  }

  /** Somebody else has the turn: its agent is killed and nothing more of it is said. */
  fence(turnId: string): void {
    const turn = this.turns.get(turnId);
    if (turn === undefined) return;
    this.log.warn('the turn is no longer ours and is dropped', { turnId });
    this.turns.delete(turnId);
    turn.stop('fenced');
    this.channel.kick();
    this.options.host.onChange();
  }

  offer(command: Command): void {
    this.commands.offer(command);
  }

  async pullCommands(): Promise<void> {
    await this.commands.pull();
  }

  pidOf(lane: string): number | undefined {
    return this.lanes.pidOf(lane);
  }

  /** No more turns; those that run may go on for `graceMs` or until `hurry`, then they are stopped for this cause. */
  async quiesce(cause: StopCause, graceMs: number, hurry?: AbortSignal): Promise<void> {
    if (this.phase !== 'closed') this.phase = 'ending';
    this.options.host.onChange();
    const over = new AbortController();
    const { clock } = this.options;
    const early = hurry === undefined ? over.signal : AbortSignal.any([over.signal, hurry]);
    const deadline = clock
      .sleep(graceMs, early)
      .catch(() => undefined)
      .then(() => over.signal.aborted || this.liveTurns.forEach((turn) => turn.stop(cause)));
    while (this.runningTurns > 0) await clock.sleep(20);
    over.abort();
    await deadline;
  }

  /** Waits until the controller has every event, at most so long; answers whether it has. */
  async flush(maxMs = FLUSH_MS): Promise<boolean> {
    const over = new AbortController();
    const late = this.options.clock.sleep(maxMs, over.signal).then(
      () => false,
      () => true,
    );
    const done = await Promise.race([this.channel.acknowledged().then(() => true), late]);
    over.abort();
    return done;
  }

  /** Given away: its turns are dropped, its agents end, and what it still has to say is said. */
  async leave(): Promise<void> {
    await this.quiesce('drain', 0);
    await this.lanes.stop();
    await this.flush(LEAVE_FLUSH_MS);
  }

  /** The process leaves and the session goes on in another one: its agents end, its work is committed. */
  async preserve(): Promise<void> {
    await this.lanes.stop();
    await this.repositories.commit();
  }

  /** Ends the agents. What was not sent stays on disk for the next process, or is forgotten. */
  async close(unsent: 'kept' | 'forgotten' = 'forgotten'): Promise<void> {
    this.phase = 'closed';
    for (const turn of this.liveTurns) turn.stop('fenced');
    await this.lanes.stop();
    this.channel.close(unsent);
  }

  private adopt(answer: Parameters<Leftovers['settle']>[0]): void {
    this.leftovers.settle(answer).catch((error: unknown) => {
      this.log.error('what an earlier process left could not be sent', { reason: describeError(error) });
    });
  }

  private async run(turn: LiveTurn): Promise<void> {
    const { host } = this.options;
    try {
      const terminal = await this.runner.run(turn);
      host.onChange();
      // The lease is renewed until the controller has the terminal event, or it would call the turn lost.
      if (terminal !== undefined) await this.channel.acknowledged(terminal);
    } catch (error) {
      this.log.error('a turn ended in a fault of the harness', { turnId: turn.id, reason: describeError(error) });
    }
    if (this.turns.get(turn.id) === turn) this.turns.delete(turn.id);
    this.channel.kick();
    host.onChange();
  }

  private report(level: 'info' | 'error', message: string): void {
    this.log[level](message);
    void this.channel.publish({ type: 'log', data: { level, message } });
  }

  private leasesHold(): boolean {
    if (!this.liveTurns.some((turn) => turn.lease.fencesItself)) return true;
    this.options.host.onDoubt();
    return false;
  }

  private conversationOf(lane: string): string | undefined {
    return this.state.conversationOf(lane) ?? this.definition.descriptor.resume?.lanes[lane];
  }

  private async apply(command: Command): Promise<CommandResult> {
    this.log.info('command', { type: command.type, lane: command.lane, n: command.n });
    if (command.type === 'abort') {
      this.turns.get(command.body.turnId)?.stop('abort');
      return { ok: true };
    }
    await this.quiesce('end', 0);
    await this.lanes.stop();
    const commits = await this.repositories.push();
    await this.flush(Math.max(1000, command.body.deadlineMs - END_RESERVE_MS));
    return { ok: true, result: { commits } };
  }
}
