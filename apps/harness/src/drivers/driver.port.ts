import {
  type HarnessEventData,
  type HarnessEventType,
  type RawOutput,
  type SessionDescriptor,
  type Usage,
} from '@reins/shared/link';

/** Where a driver puts what its agent says. Awaiting `emit` is the backpressure: a driver reads no further meanwhile. */
export interface EventSink {
  emit<T extends HarnessEventType>(type: T, data: HarnessEventData<T>): Promise<void>;
}

/** What a driver is given when a lane starts. One driver instance serves one lane for as long as the harness lives. */
export interface DriverContext {
  session: SessionDescriptor;
  /** `main` or the sub-session's name. */
  lane: string;
  /** Absolute folder the agent works in. */
  workspace: string;
  /** Absolute folder of this session for the driver's own files (a CLI's configuration and conversations). Survives restarts. */
  stateDir: string;
  /** Merged instruction text; the workspace already carries it under the file name this CLI reads. */
  instruction: string;
  /** The agent's settings as merged by precedence: controller, environment, default. */
  settings: Readonly<Record<string, unknown>>;
  /** Names of the tools the agent may use; empty means no whitelist was configured. */
  allowedTools: readonly string[];
  mcpServers: Readonly<Record<string, { type: string; url: string; headers?: Record<string, string> }>>;
  /** The environment for child processes: chosen, without the harness's own secrets. */
  env: Readonly<Record<string, string>>;
  /** The CLI's conversation id to carry on, where the lane had one. */
  resumeId: string | undefined;
  log: { debug(message: string): void; info(message: string): void; warn(message: string): void };
}

export interface DriverTurn {
  turnId: string;
  prompt: string;
}

/** How a prompt ended. The harness adds artifacts and writes `turn.completed`; a driver never emits it. */
export interface DriverOutcome {
  status: 'complete' | 'failed' | 'cancelled';
  /** end_turn, max_turns, exception, agent_error, process_exited, cpu_limit, wall_limit, memory_limit, aborted, … */
  stopReason: string;
  usage: Usage | undefined;
  error?: { message: string; stderrTail?: string };
  /** The agent's own output of this turn: `format` names its shape, `content` is the text as it came. */
  raw?: Required<Pick<RawOutput, 'format' | 'content'>>;
}

export interface DriverCapabilities {
  /** Text arrives in pieces. */
  deltas: boolean;
  /** A conversation survives a new process. */
  resume: boolean;
  usage: boolean;
  permissions: boolean;
}

export interface Driver {
  readonly capabilities: DriverCapabilities;
  /** The CLI's own id of this conversation, once known. */
  readonly conversationId: string | undefined;
  /** Pid of the agent's process while there is one. */
  readonly pid: number | undefined;
  /** Makes the agent ready. May be cheap: the process may start with the first prompt. */
  start(): Promise<void>;
  /**
   * Runs one prompt to its end. Never rejects for what the agent does wrong: that is an outcome.
   * When `signal` aborts the driver interrupts the agent softly and resolves with `cancelled` as soon as it stopped.
   */
  prompt(turn: DriverTurn, sink: EventSink, signal: AbortSignal): Promise<DriverOutcome>;
  /** Ends the agent's process group at once (SIGKILL), for a turn that did not stop when asked. The next prompt starts anew. */
  kill(): Promise<void>;
  /** Ends the agent in order: SIGTERM to the group, then SIGKILL. */
  stop(): Promise<void>;
}

export type DriverFactory = (context: DriverContext) => Driver;
