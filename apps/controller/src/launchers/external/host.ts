import { type LauncherName, type Placement } from '@reins/shared/api/placement';

/** A place for a session that is asked for. */
export interface HostRequest {
  cliType: string;
  /** Null where the session is bound to the one agent. */
  placement: Placement | null;
  /** The one agent it may run on: named by its caller, or because its workspace is there. */
  agentId: string | null;
  /** Agents that have just not taken it. */
  refusedBy: readonly string[];
}

/** An autonomous agent as the placement of sessions sees it. */
export interface Host {
  id: string;
  name: string;
  status: string;
  acceptsSessions: boolean;
  /** Its harness is connected, as far as its presence says. */
  isConnected: boolean;
  labels: Readonly<Record<string, string>>;
  /** Undefined before its harness has told. */
  supportedTypes: readonly string[] | undefined;
  capacity: number;
  boundSessions: readonly string[];
  /** Of its last heartbeat; empty where that is too old to tell anything. */
  metrics: Readonly<Record<string, unknown>>;
}

export const EXTERNAL: LauncherName = 'external';
