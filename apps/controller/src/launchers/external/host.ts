/** An autonomous agent as the placement of sessions sees it. */
export interface Host {
  id: string;
  name: string;
  /** Milliseconds since 1970; ids made within a second do not tell who was first. */
  enrolledAt: number;
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
