import { ORG_ANNOTATION, BOUND_ANNOTATION, LABELS, launchLabels, warmSelector } from '../pod/names';
import { KEEP } from '../pod/job';
import { makePod } from '../pod/make-pod';
import { type WarmPodRequest } from '../pod/pod-request';
import { DEADLINE_MARGIN_SECONDS } from '../launch-objects';
import { ClusterError } from '../clusters/api-error';
import { type Cluster, type Patch } from '../clusters/cluster';
import { type Observed } from '../observation/verdict';
import { type WarmPodDocument } from './warm-pod.schema';

/** A Job whose pod is not there by then may have been refused one. */
const POD_EXPECTED_MS = 2_000;

/** The objects of warm pods in one cluster. All of one pod have its id as their name. */
export class WarmObjects {
  constructor(
    private readonly cluster: Cluster,
    private readonly installation: string,
  ) {}

  create(request: Omit<WarmPodRequest, 'installation'>): Promise<void> {
    return makePod(this.cluster, { ...request, installation: this.installation });
  }

  /** The pod is asked to leave; nothing of it is used again. */
  async remove(id: string): Promise<void> {
    await this.cluster.deleteJob(id);
    await Promise.all([
      this.cluster.deleteSecret(id),
      this.cluster.deletePolicy(id),
      // Freed when the pod is gone.
      this.cluster.deleteClaim(id),
    ]);
  }

  /** Everything the cluster says of the pods that are nobody's, by their ids. */
  async observed(nowMs: number): Promise<Map<string, Observed>> {
    const selector = warmSelector(this.installation);
    const [jobs, pods] = await Promise.all([this.cluster.jobs(selector), this.cluster.pods(selector)]);
    const podOf = new Map(pods.map((pod) => [pod.metadata?.labels?.[LABELS.warm] ?? '', pod]));
    const seen = jobs.map(async (job): Promise<[string, Observed]> => {
      const id = job.metadata?.name ?? '';
      const pod = podOf.get(id);
      const madeAt = new Date(job.metadata?.creationTimestamp ?? nowMs).getTime();
      const isLate = pod === undefined && madeAt < nowMs - POD_EXPECTED_MS;
      return [id, { job, pod, isGone: false, notCreated: isLate ? await this.cluster.refusalOf(id) : undefined }];
    });
    return new Map(await Promise.all(seen));
  }

  /** Ids of all that anything is left of. */
  async inventory(): Promise<{ id: string; createdAt: number }[]> {
    const selector = warmSelector(this.installation);
    const lists = await Promise.all([
      this.cluster.jobs(selector),
      this.cluster.secrets(selector),
      this.cluster.policies(selector),
      this.cluster.claims(selector),
    ]);
    return lists.flat().map(({ metadata }) => ({
      id: metadata?.labels?.[LABELS.warm] ?? '',
      createdAt: new Date(metadata?.creationTimestamp ?? 0).getTime(),
    }));
  }

  /**
   * Marks everything of the pod as its session's, as if it had been made for it: from then on it is observed, stopped and
   * removed like any other. May be done twice. False where the Job is gone.
   */
  async adopt({ _id: id, orgId, claim }: WarmPodDocument): Promise<boolean> {
    if (claim === null) throw new Error('a warm pod is adopted by the session that claimed it');
    const labels = added('labels', launchLabels({ ...claim, orgId, installation: this.installation }));
    const org = added('annotations', { [ORG_ANNOTATION]: orgId });
    const bound = added('annotations', { [BOUND_ANNOTATION]: claim.at.toISOString() });
    const pods = await this.cluster.pods(`${LABELS.warm}=${id}`);
    const [job] = await Promise.all([
      found(this.cluster.patchJob(id, [...labels, ...org])),
      found(this.cluster.patchSecret(id, labels)),
      found(this.cluster.patchPolicy(id, labels)),
      found(this.cluster.patchClaim(id, [...labels, ...org, ...bound])),
      ...pods.map(({ metadata }) =>
        found(this.cluster.patchPod(metadata?.name ?? '', [...labels, ...org, ...added('annotations', KEEP)])),
      ),
    ]);
    if (job === undefined) return false;
    // Counted from the start of the Job, which was long before the session.
    const startedAt = new Date(job.status?.startTime ?? job.metadata?.creationTimestamp ?? Date.now()).getTime();
    const value = Math.ceil((claim.expiresAt.getTime() - startedAt) / 1000) + DEADLINE_MARGIN_SECONDS;
    const deadline: Patch = [{ op: 'add', path: '/spec/activeDeadlineSeconds', value: Math.max(1, value) }];
    return (await found(this.cluster.patchJob(id, deadline))) !== undefined;
  }
}

function added(map: 'labels' | 'annotations', values: Readonly<Record<string, string>>): Patch {
  return Object.entries(values).map(([name, value]) => ({
    op: 'add' as const,
    path: `/metadata/${map}/${name.replace(/~/g, '~0').replace(/\//g, '~1')}`,
    value,
  }));
}

/** A claim there may be none of, and the rest may be gone already. */
async function found<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof ClusterError && error.trouble === 'missing') return undefined;
    throw error;
  }
}
