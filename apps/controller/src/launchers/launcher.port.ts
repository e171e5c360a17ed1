/** What a launcher needs to start the harness of one session. */
export interface LaunchRequest {
  orgId: string;
  sessionId: string;
  /** Names this start: facts about an earlier one are told apart by it. */
  launchId: string;
  agentId: string;
  /** Goes to the harness only; never logged, never stored in clear. */
  secret: string;
  /** Where the harness reaches the controller. */
  baseUrl: string;
}

/** Something a launcher saw. */
export interface LauncherFact {
  orgId: string;
  sessionId: string;
  launchId: string;
  kind: 'exited';
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
}

/** How a harness comes to exist. The controller never connects to it; it only sees facts about it. */
export abstract class Launcher {
  abstract readonly name: string;
  /** Resolves when the harness was started, not when it connected. Throws launcher_unavailable with the reason. */
  abstract launch(request: LaunchRequest): Promise<void>;
  /** Asks the harness to leave, then ends it after the grace. Resolves when it is gone; a missing one is fine. */
  abstract stop(sessionId: string, graceMs: number): Promise<void>;
  /** Every fact is told to the one listener, in order a session. */
  abstract observe(listener: FactListener): void;
  /** After a start of the controller: takes over the harnesses that still live and tells the facts that were missed. */
  abstract reconcile(expected: readonly ExpectedLaunch[]): Promise<void>;
  /** Stops watching. The harnesses go on. */
  abstract close(): Promise<void>;
}
