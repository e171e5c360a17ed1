import { HARNESS_ENV } from '@reins/shared/link/limits';
import { type PodSettings } from '@reins/shared/api/pods';
import { claimName, LABELS, launchLabels, launchName, ORG_ANNOTATION, sessionLabels, warmLabels } from './names';

/** What the objects of every pod are made from, whatever it is for. */
interface PodShape {
  /** Tells this controller's objects from those of others in the same namespace. */
  installation: string;
  image: string;
  settings: PodSettings;
  /** Where the harness reaches the controller. */
  baseUrl: string;
  /** The pod is ended after this long, whatever it does. */
  deadlineSeconds: number;
}

/** A pod for one session. */
export interface PodRequest extends PodShape {
  orgId: string;
  sessionId: string;
  workerId: string;
  launchId: string;
  /** What the harness is told beside its identity, such as the keys of models; kept in the Secret. */
  environment: Readonly<Record<string, string>>;
  credentials: { agentId: string; secret: string };
  /** The claim its workspace is in already; without it the one that is made for it. */
  claim?: string;
}

/** A pod started ahead: it knows its token and nothing of anybody. */
export interface WarmPodRequest extends PodShape {
  warmPodId: string;
  poolKey: string;
  token: string;
}

export type AnyPodRequest = PodRequest | WarmPodRequest;

export type WithClaim = Pick<PodRequest, 'sessionId' | 'claim'> | Pick<WarmPodRequest, 'warmPodId'>;

/** The claim that the pod's folder is in, where it has one. */
export function claimOf(request: WithClaim): string {
  return 'warmPodId' in request ? request.warmPodId : (request.claim ?? claimName(request.sessionId));
}

/** How the objects of a pod are called and found, and what its Secret holds. */
export interface PodNames {
  /** Of the Job, the Secret and the policy. */
  name: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Selects its pod, now and later. */
  podSelector: Record<string, string>;
  claim: { name: string; labels: Record<string, string> };
  secret: Record<string, string>;
}

export function podNames(request: AnyPodRequest): PodNames {
  return 'warmPodId' in request ? warmNames(request) : sessionNames(request);
}

function sessionNames(request: PodRequest): PodNames {
  const { orgId, sessionId, launchId, environment, baseUrl, credentials } = request;
  return {
    name: launchName(sessionId, launchId),
    labels: launchLabels(request),
    annotations: { [ORG_ANNOTATION]: orgId },
    podSelector: { [LABELS.session]: sessionId },
    claim: { name: claimOf(request), labels: sessionLabels(request) },
    secret: {
      ...environment,
      [HARNESS_ENV.baseUrl]: baseUrl,
      [HARNESS_ENV.agentId]: credentials.agentId,
      [HARNESS_ENV.agentSecret]: credentials.secret,
    },
  };
}

function warmNames(request: WarmPodRequest): PodNames {
  const { warmPodId, baseUrl, token } = request;
  const labels = warmLabels(request);
  return {
    name: warmPodId,
    labels,
    // There has to be one, for more to be added to.
    annotations: { [LABELS.warm]: warmPodId },
    // Its policy holds from its first moment on, and needs no change when it becomes a session's.
    podSelector: { [LABELS.warm]: warmPodId },
    claim: { name: claimOf(request), labels },
    secret: { [HARNESS_ENV.baseUrl]: baseUrl, [HARNESS_ENV.poolToken]: token },
  };
}
