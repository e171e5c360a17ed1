import { type LaunchRequest } from '../launcher.port';
import { ClusterError } from './clusters/api-error';
import { type Cluster } from './clusters/cluster';
import { sessionJob } from './pod/job';
import { claimName, LABELS, launchName, ownSelector } from './pod/names';
import { sessionPolicy } from './pod/network-policy';
import { type PodRequest } from './pod/pod-request';
import { sessionSecret } from './pod/secret';
import { isPersistent, workspaceClaim } from './pod/volumes';

/** The session ends itself first; the cluster's deadline is for a controller that cannot. */
const DEADLINE_MARGIN_SECONDS = 300;

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
    const request = this.requestOf(launch, environment);
    await Promise.all([
      this.anew(() => this.cluster.createSecret(sessionSecret(request)), 'deleteSecret', request),
      this.once(() => this.cluster.createPolicy(sessionPolicy(request))),
      ...(isPersistent(request.settings) ? [this.once(() => this.cluster.createClaim(workspaceClaim(request)))] : []),
    ]);
    const job = await this.anew(() => this.cluster.createJob(sessionJob(request)), 'deleteJob', request);
    const { name = '', uid = '' } = job.metadata ?? {};
    await this.cluster.own(name, { apiVersion: 'batch/v1', kind: 'Job', name, uid });
  }

  /** Asks the pod to leave. It has the grace for it. */
  async stop(sessionId: string, launchId: string, graceMs: number): Promise<void> {
    const name = launchName(sessionId, launchId);
    await this.cluster.deleteJob(name);
    const pods = await this.podsOf(launchId);
    const graceSeconds = Math.ceil(graceMs / 1000);
    await Promise.all([
      ...pods.map(({ metadata }) => this.cluster.deletePod(metadata?.name ?? '', graceSeconds)),
      // Owned by the Job where that was made; not if a crash came in between.
      this.cluster.deleteSecret(name),
      this.cluster.deletePolicy(name),
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
    const [jobs, secrets, policies] = await Promise.all([
      this.cluster.jobs(ofSession),
      this.cluster.secrets(ofSession),
      this.cluster.policies(ofSession),
    ]);
    await Promise.all([
      ...jobs.map(({ metadata }) => this.cluster.deleteJob(metadata?.name ?? '')),
      ...secrets.map(({ metadata }) => this.cluster.deleteSecret(metadata?.name ?? '')),
      ...policies.map(({ metadata }) => this.cluster.deletePolicy(metadata?.name ?? '')),
      this.cluster.deleteClaim(claimName(sessionId)),
    ]);
  }

  /** Names of sessions and starts of which there is anything in the cluster. */
  async inventory(): Promise<Inventory> {
    const own = ownSelector(this.installation);
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

  /** What an earlier try left carries credentials that count no more: it is replaced, at the next try where it lingers. */
  private async anew<T>(
    create: () => Promise<T>,
    remove: 'deleteSecret' | 'deleteJob',
    { sessionId, launchId }: PodRequest,
  ): Promise<T> {
    try {
      return await create();
    } catch (error) {
      if (!isConflict(error)) throw error;
      await this.cluster[remove](launchName(sessionId, launchId));
      return create();
    }
  }

  private async once(create: () => Promise<unknown>): Promise<void> {
    try {
      await create();
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
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

function isConflict(error: unknown): boolean {
  return error instanceof ClusterError && error.trouble === 'conflict';
}
