import { type LaunchRequest } from '../launcher.port';
import { type Cluster } from './clusters/cluster';
import { makePod } from './pod/make-pod';
import { BOUND_ANNOTATION, LABELS, ownSelector } from './pod/names';
import { type PodRequest } from './pod/pod-request';
import { isPersistent } from './pod/volumes';

/** The session ends itself first; the cluster's deadline is for a controller that cannot. */
export const DEADLINE_MARGIN_SECONDS = 300;

type PodLaunch = LaunchRequest & { pod: NonNullable<LaunchRequest['pod']> } & Required<
    Pick<LaunchRequest, 'credentials'>
  >;

/** The objects of sessions in one cluster: made together, gone together. */
export class LaunchObjects {
  constructor(
    private readonly cluster: Cluster,
    readonly installation: string,
  ) {}

  /** Policy and Secret come before the Job, so that no pod is ever without them; then they are handed to it. */
  async create(launch: PodLaunch, environment: Readonly<Record<string, string>>): Promise<void> {
    const request = { ...this.requestOf(launch, environment), ...(await this.claimOf(launch)) };
    await makePod(this.cluster, request);
  }

  /** Asks the pod to leave. It has the grace for it. */
  async stop(launchId: string, graceMs: number): Promise<void> {
    // By label: a pod that was started ahead has names of its own.
    const ofLaunch = `${ownSelector(this.installation)},${LABELS.launch}=${launchId}`;
    await this.removeJobs(ofLaunch);
    const pods = await this.cluster.pods(ofLaunch);
    const graceSeconds = Math.ceil(graceMs / 1000);
    await Promise.all([
      ...pods.map(({ metadata }) => this.cluster.deletePod(metadata?.name ?? '', graceSeconds)),
      // Owned by the Job where that was made; not if a crash came in between.
      this.removeSecretsAndPolicies(ofLaunch),
    ]);
  }

  async kill(launchId: string): Promise<void> {
    const pods = await this.podsOf(launchId);
    await Promise.all(pods.map(({ metadata }) => this.cluster.deletePod(metadata?.name ?? '', 0)));
  }

  /** Whether the harness of this start may still do something. */
  async isRunning(launchId: string): Promise<boolean> {
    const pods = await this.podsOf(launchId);
    return pods.some(({ status }) => {
      const over = status?.phase === 'Succeeded' || status?.phase === 'Failed';
      return !over && status?.containerStatuses?.[0]?.state?.terminated === undefined;
    });
  }

  /** Whatever there is of the session, its workspace included. */
  async removeSession(sessionId: string): Promise<void> {
    const ofSession = `${ownSelector(this.installation)},${LABELS.session}=${sessionId}`;
    const claims = await this.cluster.claims(ofSession);
    await Promise.all([
      this.removeJobs(ofSession),
      this.removeSecretsAndPolicies(ofSession),
      ...claims.map(({ metadata }) => this.cluster.deleteClaim(metadata?.name ?? '')),
    ]);
  }

  /** Names of sessions and starts of which there is anything in the cluster. */
  async inventory(): Promise<Inventory> {
    // What was started ahead is no session's yet.
    const own = `${ownSelector(this.installation)},${LABELS.session}`;
    const [jobs, secrets, policies, claims] = await Promise.all([
      this.cluster.jobs(own),
      this.cluster.secrets(own),
      this.cluster.policies(own),
      this.cluster.claims(own),
    ]);
    return {
      jobs: jobs.map(({ metadata }) => found(metadata)),
      others: [...secrets, ...policies, ...claims].map(({ metadata }) => found(metadata)),
    };
  }

  /** The claim the session's workspace is in, where it has one: that of the last warm pod that was given to it. */
  private async claimOf({ sessionId, pod }: PodLaunch): Promise<{ claim?: string }> {
    if (!isPersistent(pod.settings)) return {};
    const claims = await this.cluster.claims(`${ownSelector(this.installation)},${LABELS.session}=${sessionId}`);
    const [last] = claims.map(({ metadata }) => metadata).sort((a, b) => (boundAt(a) < boundAt(b) ? 1 : -1));
    return last?.name === undefined ? {} : { claim: last.name };
  }

  private async removeJobs(selector: string): Promise<void> {
    const jobs = await this.cluster.jobs(selector);
    await Promise.all(jobs.map(({ metadata }) => this.cluster.deleteJob(metadata?.name ?? '')));
  }

  private async removeSecretsAndPolicies(selector: string): Promise<void> {
    const [secrets, policies] = await Promise.all([this.cluster.secrets(selector), this.cluster.policies(selector)]);
    await Promise.all([
      ...secrets.map(({ metadata }) => this.cluster.deleteSecret(metadata?.name ?? '')),
      ...policies.map(({ metadata }) => this.cluster.deletePolicy(metadata?.name ?? '')),
    ]);
  }

  private podsOf(launchId: string): ReturnType<Cluster['pods']> {
    return this.cluster.pods(`${ownSelector(this.installation)},${LABELS.launch}=${launchId}`);
  }

  private requestOf(launch: PodLaunch, environment: Readonly<Record<string, string>>): PodRequest {
    const { orgId, sessionId, workerId, launchId, pod, credentials, baseUrl, expiresAt } = launch;
    const leftSeconds = Math.max(0, Math.ceil((expiresAt.getTime() - Date.now()) / 1000));
    return {
      orgId,
      sessionId,
      workerId,
      launchId,
      installation: this.installation,
      image: pod.image,
      settings: pod.settings,
      baseUrl: this.cluster.baseUrl ?? baseUrl,
      environment,
      credentials,
      deadlineSeconds: leftSeconds + DEADLINE_MARGIN_SECONDS,
    };
  }
}

export interface Found {
  sessionId: string;
  launchId: string | undefined;
  createdAt: number;
}

export interface Inventory {
  jobs: Found[];
  others: Found[];
}

function found(metadata: { labels?: Record<string, string>; creationTimestamp?: Date } | undefined): Found {
  return {
    sessionId: metadata?.labels?.[LABELS.session] ?? '',
    launchId: metadata?.labels?.[LABELS.launch],
    createdAt: new Date(metadata?.creationTimestamp ?? 0).getTime(),
  };
}

function boundAt(metadata: { annotations?: Record<string, string> } | undefined): string {
  return metadata?.annotations?.[BOUND_ANNOTATION] ?? '';
}
