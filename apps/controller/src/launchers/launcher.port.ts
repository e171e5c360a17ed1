import { type LauncherName, type Placement } from '@reins/shared/api/placement';
import { type PodSettings } from '@reins/shared/api/pods';

/** What a launcher that chooses among agents goes by. */
export interface HostRequest {
  sessionId: string;
  cliType: string;
  /** Null where the session is bound to the one agent. */
  placement: Placement | null;
  /** The one agent it may run on: named by its caller, or because its workspace is there. */
  agentId: string | null;
  /** Agents that have just not taken it. */
  refusedBy: readonly string[];
}

/** How the pod of a session is made, kept with the session: an edited worker changes its next sessions. */
export interface SessionPod {
  cluster: string;
  image: string;
  settings: PodSettings;
}

/** What a launcher needs to bring a harness to one session. */
export interface LaunchRequest {
  orgId: string;
  sessionId: string;
  /** Names this start: facts about an earlier one are told apart by it. */
  launchId: string;
  /** Where the harness reaches the controller. */
  baseUrl: string;
  /** The identity made for this harness; only for launchers that start one. The secret is never logged or stored in clear. */
  credentials?: { agentId: string; secret: string };
  /** Makes the credentials given before worthless: for launchers that handed them to a harness that did not come. */
  renewCredentials?: () => Promise<{ agentId: string; secret: string }>;
  /** Whether a harness of the session had a workspace before, which is to be gone on with. */
  hasWorkspace: boolean;
  session: HostRequest;
  workerId: string;
  /** For launchers that make pods. */
  pod: SessionPod | null;
  /** The session is over by then, whatever it does. */
  expiresAt: Date;
  /**
   * For launchers that choose an agent: makes it the session's. True also where it is that already, so that of two that
   * try at once neither undoes the other. False: the session has another, or wants none any more.
   */
  assign: (agentId: string) => Promise<boolean>;
}

/** The agent whose harness will serve the session, or in plain words what is missing; then the session waits. */
export type Launched = { agentId: string } | { waitingFor: string };

/** Something a launcher saw. */
export interface LauncherFact {
  orgId: string;
  sessionId: string;
  launchId: string;
  /**
   * exited: the harness is gone or will never come. unbound: its host serves the session no more, and lives on.
   * waiting: it does not start yet, for a reason worth telling.
   */
  kind: 'exited' | 'unbound' | 'waiting';
  /** Names the reason where the launcher knows it. */
  code?: string;
  /** Whoever looked after it decided so, or the machine failed: nothing speaks against the next harness. */
  isFromOutside?: boolean;
  /** Null where it is not known, as for a process that ended while no controller watched. */
  exitCode: number | null;
  signal: string | null;
  /** In plain words, with what the harness said last where that helps. */
  message: string;
}

export type FactListener = (fact: LauncherFact) => Promise<void>;

/** A session that should have a harness, as the controller knows it. */
export interface ExpectedLaunch {
  orgId: string;
  sessionId: string;
  launchId: string;
  agentId: string | null;
  pod: SessionPod | null;
  launchedAt: Date | null;
  /** Its harness has not connected yet. */
  isStarting: boolean;
  /** False where it was told to stop and is not known to be gone. */
  isWanted: boolean;
}

/** A session that needs its harness no more. */
export interface StopRequest {
  orgId: string;
  sessionId: string;
  /** Null where none was started, or is known to be gone. */
  launchId: string | null;
  agentId: string | null;
  pod: SessionPod | null;
  reason: string;
  /** The session has ended: nothing of it will be started again. */
  final: boolean;
}

/** A start that can never succeed as it was asked for; `code` becomes the session's reason. */
export class LaunchRefused extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'LaunchRefused';
  }
}

/** Of these sessions, those that are not over. */
export type OpenSessions = (sessionIds: readonly string[]) => Promise<ReadonlySet<string>>;

/** How a harness comes to exist. The controller never connects to it; it only sees facts about it. */
export abstract class Launcher {
  abstract readonly name: LauncherName;
  /** Whether it starts a harness, which needs an agent of its own; else it finds an agent that is there. */
  abstract readonly startsHarness: boolean;

  /** Throws where the request can never be met, before a session is made for it. */
  async check(_orgId: string, _session: HostRequest, _pod: SessionPod | null): Promise<void> {}

  /** Resolves when the harness was started or its host chosen, not when it is ready. Throws with the reason. */
  abstract launch(request: LaunchRequest): Promise<Launched>;
  /** Asks the harness to leave, then ends it after the grace. Resolves when it is gone; a missing one is fine. */
  abstract stop(request: StopRequest, graceMs: number): Promise<void>;
  /** Every fact is told to the one listener, in order a session. */
  abstract observe(listener: FactListener): void;
  /**
   * Given every session that should have a harness by this launcher: takes over those that live, tells the facts that
   * were missed, and frees what is held for others. Called at the start of a controller, and again from time to time.
   */
  abstract reconcile(expected: readonly ExpectedLaunch[], open: OpenSessions): Promise<void>;
  /** Calls when the launcher was out of touch with its harnesses and may have missed what became of them. */
  onRecovered(_listener: () => void): void {}

  /** Stops watching. The harnesses go on. */
  abstract close(): Promise<void>;
}
