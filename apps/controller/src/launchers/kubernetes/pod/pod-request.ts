import { type PodSettings } from '@reins/shared/api/pods';

/** Everything a session's objects in the cluster are made from. */
export interface PodRequest {
  orgId: string;
  sessionId: string;
  workerId: string;
  launchId: string;
  /** Tells this controller's objects from those of others in the same namespace. */
  installation: string;
  image: string;
  settings: PodSettings;
  /** Where the harness reaches the controller. */
  baseUrl: string;
  /** What the harness is told beside its identity, such as the keys of models; kept in the Secret. */
  environment: Readonly<Record<string, string>>;
  credentials: { agentId: string; secret: string };
  /** The pod is ended after this long, whatever it does. */
  deadlineSeconds: number;
}
