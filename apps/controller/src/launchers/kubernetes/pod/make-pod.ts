import { ClusterError } from '../clusters/api-error';
import { type Cluster } from '../clusters/cluster';
import { sessionJob } from './job';
import { sessionPolicy } from './network-policy';
import { type AnyPodRequest, podNames } from './pod-request';
import { sessionSecret } from './secret';
import { isPersistent, workspaceClaim } from './volumes';

/** Policy and Secret come before the Job, so that no pod is ever without them; then they are handed to it. */
export async function makePod(cluster: Cluster, request: AnyPodRequest): Promise<void> {
  const named = podNames(request);
  await Promise.all([
    anew(
      () => cluster.createSecret(sessionSecret(request)),
      () => cluster.deleteSecret(named.name),
    ),
    once(() => cluster.createPolicy(sessionPolicy(request))),
    ...(isPersistent(request.settings) ? [once(() => cluster.createClaim(workspaceClaim(request)))] : []),
  ]);
  const job = await anew(
    () => cluster.createJob(sessionJob(request)),
    () => cluster.deleteJob(named.name),
  );
  const { name = '', uid = '' } = job.metadata ?? {};
  await cluster.own(name, { apiVersion: 'batch/v1', kind: 'Job', name, uid });
}

/** What an earlier try left carries credentials that count no more: it is replaced, at the next try where it lingers. */
async function anew<T>(create: () => Promise<T>, remove: () => Promise<void>): Promise<T> {
  try {
    return await create();
  } catch (error) {
    if (!isConflict(error)) throw error;
    await remove();
    return create();
  }
}

async function once(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!isConflict(error)) throw error;
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof ClusterError && error.trouble === 'conflict';
}
