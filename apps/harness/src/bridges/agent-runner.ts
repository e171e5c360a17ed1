import { join } from 'node:path';
import { type SessionDescriptor } from '@reins/shared/link/connect';
import { type Clock } from '@reins/shared/util/clock';
import { type AgentContext } from '../agent/agent-context';
import { type Driver, type DriverFactory, type DriverOutcome } from '../drivers/driver.port';
import { describeError, type Logger } from '../log/logger';
import { SessionState } from '../sessions/session-state';
import { Lanes, type LaneSetup } from '../turns/lanes';
import { writeInstruction } from '../workspace/instruction-file';
import { AnswerText } from './answer-text';
import { withoutBridges } from './bridge-settings';

export interface AgentRunnerOptions {
  agent: Pick<AgentContext, 'configuration'>;
  loadDriver: (cliType: string) => Promise<DriverFactory>;
  /** Folders of all conversations; each gets one of its own in both. */
  workspaces: string;
  stateDirs: string;
  childEnv: Readonly<Record<string, string>>;
  /** Agents that stay up between messages. */
  maxWarm: number;
  log: Logger;
  clock: Clock;
  /** How long an agent may take to stop when asked, before it is killed. */
  softStopMs?: number;
}

export interface AgentAnswer {
  /** stopped: somebody aborted it. timeout: it took longer than a message may. */
  status: 'complete' | 'failed' | 'timeout' | 'stopped';
  text: string;
}

/** One kind of agent for every message of the bridges, unless the settings name another. */
const DEFAULT_CLI = 'claude-code';
const TURN_TIMEOUT_MS = 10 * 60_000;
const SOFT_STOP_MS = 5_000;
const LANE = 'main';
/** What a session gets from the controller, which knows nothing of these turns. */
const LIMITS = { turnIdleMs: 300_000, cpuMs: 2_000, wallMs: 5_000, memoryBytes: 128 * 1024 * 1024 };

interface Conversation {
  lanes: Lanes;
  state: SessionState;
  busy: boolean;
}

/** Runs messages as turns of the agent: a warm agent, a folder and a remembered conversation for each conversation. */
export class AgentRunner {
  /** Those with a warm agent, the longest unused first. */
  private readonly conversations = new Map<string, Conversation>();
  private turns = 0;

  constructor(private readonly options: AgentRunnerOptions) {}

  /** Runs one message to its end; one at a time in a conversation. Never rejects; what went wrong is in the log. */
  async run(name: string, prompt: string, signal: AbortSignal): Promise<AgentAnswer> {
    const { clock } = this.options;
    const conversation = await this.open(name);
    const log = this.options.log.child({ conversation: name });
    const over = new AbortController();
    const late = new AbortController();
    void clock.sleep(this.turnTimeoutMs(), over.signal).then(
      () => late.abort(new Error('the message took too long')),
      () => undefined,
    );
    const stop = AbortSignal.any([signal, late.signal]);
    let driver: Driver | undefined;
    const cliType = this.cliType();
    const note = (): void => {
      if (driver?.conversationId !== undefined) conversation.state.setConversation(cliType, driver.conversationId);
    };
    const answer = new AnswerText(note);
    const prompting = async (): Promise<DriverOutcome> => {
      try {
        driver = await conversation.lanes.acquire(LANE);
        return await driver.prompt({ turnId: `bridge-${++this.turns}`, prompt }, answer, stop);
      } catch (error) {
        return failure(describeError(error));
      }
    };
    const startedAt = clock.monotonic();
    const outcome = await Promise.race([prompting(), this.killed(conversation.lanes, stop, over.signal)]);
    over.abort();
    note();
    conversation.lanes.release(LANE);
    conversation.busy = false;
    const durationMs = Math.round(clock.monotonic() - startedAt);
    log.info('message worked off', { status: outcome.status, stopReason: outcome.stopReason, durationMs });
    if (outcome.status === 'complete') return { status: 'complete', text: answer.text };
    const { error } = outcome;
    log.warn('the agent gave no answer', { reason: error?.message, stderr: error?.stderrTail, timeout: stop.aborted });
    return { status: late.signal.aborted ? 'timeout' : signal.aborted ? 'stopped' : 'failed', text: '' };
  }

  /** Ends every agent in order. */
  async stop(): Promise<void> {
    const all = [...this.conversations.values()];
    this.conversations.clear();
    await Promise.all(all.map(({ lanes }) => lanes.stop()));
  }

  private async open(name: string): Promise<Conversation> {
    const conversation = this.conversations.get(name) ?? this.create(name);
    conversation.busy = true;
    this.conversations.delete(name);
    this.conversations.set(name, conversation);
    for (const [other, { busy, lanes }] of [...this.conversations]) {
      if (this.conversations.size <= this.options.maxWarm) break;
      if (busy) continue;
      this.conversations.delete(other);
      await lanes.stop();
    }
    return conversation;
  }

  private create(name: string): Conversation {
    const { loadDriver, stateDirs, log } = this.options;
    const stateDir = join(stateDirs, name);
    const state = new SessionState(join(stateDir, 'state.json'));
    const lanes = new Lanes({
      loadDriver: () => loadDriver(this.cliType()),
      setup: () => this.setup(name, stateDir),
      prepare: ({ workspace, session, instruction }) => writeInstruction(workspace, session.cliType, instruction),
      // The id of one kind of agent means nothing to another.
      resumeIdOf: () => state.conversationOf(this.cliType()),
      maxWarm: 1,
      log: log.child({ conversation: name }),
    });
    return { lanes, state, busy: false };
  }

  private setup(name: string, stateDir: string): LaneSetup {
    const { instruction, settings, allowedTools, mcpServers } = this.options.agent.configuration();
    const session: SessionDescriptor = {
      id: `bridge-${name}`,
      workerId: '',
      cliType: this.cliType(),
      modelConfig: null,
      repository: null,
      workerRepo: null,
      resume: null,
      limits: { ...LIMITS, turnTimeoutMs: this.turnTimeoutMs() },
    };
    return {
      session,
      workspace: join(this.options.workspaces, name),
      stateDir: join(stateDir, 'agent'),
      instruction,
      settings: withoutBridges(settings),
      allowedTools,
      mcpServers,
      env: this.options.childEnv,
    };
  }

  private cliType(): string {
    const { cliType } = this.options.agent.configuration().settings;
    return typeof cliType === 'string' && cliType !== '' ? cliType : DEFAULT_CLI;
  }

  private turnTimeoutMs(): number {
    const seconds = Number(this.options.agent.configuration().settings['bridge_turnTimeoutSeconds']);
    return seconds > 0 ? Math.min(seconds * 1000, 2 ** 31 - 1) : TURN_TIMEOUT_MS;
  }

  /** Resolves only where the agent does not stop when asked: it is then killed. */
  private async killed(lanes: Lanes, stop: AbortSignal, over: AbortSignal): Promise<DriverOutcome> {
    const { clock, softStopMs = SOFT_STOP_MS } = this.options;
    const never = (): Promise<never> => new Promise(() => undefined);
    if (!stop.aborted) {
      await new Promise<void>((resolve) =>
        stop.addEventListener('abort', () => resolve(), { once: true, signal: over }),
      );
    }
    await clock.sleep(softStopMs, over).catch(never);
    await lanes.discard(LANE);
    return failure('the agent did not stop when asked and was killed');
  }
}

function failure(message: string): DriverOutcome {
  return { status: 'failed', stopReason: 'agent_error', usage: undefined, error: { message } };
}
