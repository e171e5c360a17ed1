import { type V1ContainerStatus, type V1Job, type V1Pod } from '@kubernetes/client-node';
import { exitOf } from './container-exit';
import { type FailureCode, HINTS } from './failures';

export interface Failure {
  code: FailureCode;
  /** In plain words, with what can be done about it. */
  message: string;
  exitCode: number | null;
  signal: string | null;
}

/** What is known of one start of a session's harness, by its objects in the cluster. */
export type Verdict =
  | { state: 'running' }
  /** Not yet; `note` is why, where there is something to tell. `failsAt`: from then on it counts as failed with it. */
  | { state: 'starting'; note?: Failure; failsAt?: number }
  | { state: 'failed'; failure: Failure };

export interface Observed {
  pod: V1Pod | undefined;
  job: V1Job | undefined;
  /** What the Job's controller said when it could not make the pod. */
  notCreated: string | undefined;
  /** The pod was there and is gone. */
  isGone: boolean;
}

/** The failure table. Pure: the same objects give the same words. */
export function verdictOf({ pod, job, notCreated, isGone }: Observed, unschedulableMs: number): Verdict {
  const failed = (pod && podFailure(pod)) ?? (job && jobFailure(job)) ?? (isGone ? failure('pod_deleted') : undefined);
  if (failed !== undefined) return { state: 'failed', failure: failed };
  if (pod === undefined) {
    if (notCreated !== undefined) return { state: 'failed', failure: notCreatedFailure(notCreated) };
    return { state: 'starting' };
  }
  const container = pod.status?.containerStatuses?.[0];
  if (container?.state?.running !== undefined) return { state: 'running' };
  return container === undefined ? schedulingVerdict(pod, unschedulableMs) : startingVerdict(container);
}

function podFailure(pod: V1Pod): Failure | undefined {
  const { status, metadata, spec } = pod;
  const exit = exitOf(status?.containerStatuses?.[0], spec?.containers[0]?.resources?.limits?.['memory']);
  const reason = status?.reason ?? '';
  const said = status?.message ?? '';
  const numbers = { exitCode: exit?.exitCode ?? null, signal: exit?.signal ?? null };
  if (reason === 'Evicted') return failure('evicted', said, numbers);
  if (reason === 'DeadlineExceeded') return failure('deadline_exceeded', '', numbers);
  if (reason === 'NodeLost' || reason === 'NodeShutdown' || reason === 'Terminated') {
    return failure('node_lost', said, numbers);
  }
  if (exit?.isOutOfMemory === true) return failure('oom_killed', exit.message, numbers);
  const disruption = disruptionOf(pod);
  if (disruption !== undefined && (exit !== undefined || status?.phase === 'Failed')) {
    return failure(disruption.code, disruption.message, numbers);
  }
  if (exit !== undefined) {
    const wasDeleted = metadata?.deletionTimestamp !== undefined;
    return failure(wasDeleted ? 'pod_deleted' : 'harness_exited', exit.message, numbers);
  }
  if (status?.phase === 'Failed') {
    const code: FailureCode = /^(OutOf|Unexpected|NodeAffinity)/.test(reason) ? 'node_refused' : 'pod_failed';
    return failure(code, [reason, said].filter((text) => text !== '').join(': '), numbers);
  }
  return undefined;
}

/** Who decided that the pod has to go, where Kubernetes says so. */
function disruptionOf({ status }: V1Pod): { code: FailureCode; message: string } | undefined {
  const condition = status?.conditions?.find(({ type, status: is }) => type === 'DisruptionTarget' && is === 'True');
  if (condition === undefined) return undefined;
  const message = condition.message ?? '';
  switch (condition.reason) {
    case 'PreemptionByScheduler':
      return { code: 'preempted', message };
    case 'DeletionByTaintManager':
    case 'DeletionByPodGC':
      return { code: 'node_lost', message };
    case 'TerminationByKubelet':
    case 'EvictionByEvictionAPI':
      return { code: 'evicted', message };
    default:
      return { code: 'pod_deleted', message };
  }
}

function jobFailure({ status }: V1Job): Failure | undefined {
  const failed = status?.conditions?.find(({ type, status: is }) => type === 'Failed' && is === 'True');
  if (failed?.reason === 'DeadlineExceeded') return failure('deadline_exceeded');
  return failed === undefined ? undefined : failure('pod_failed', failed.message ?? '');
}

function notCreatedFailure(message: string): Failure {
  const said = message.replace(/^Error creating: /, '');
  return failure(/exceeded quota|quota/i.test(said) ? 'quota_exceeded' : 'admission_refused', said);
}

function schedulingVerdict(pod: V1Pod, unschedulableMs: number): Verdict {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status !== 'False' || scheduled.reason !== 'Unschedulable') return { state: 'starting' };
  const since = scheduled.lastTransitionTime ?? pod.metadata?.creationTimestamp ?? new Date();
  const note = failure('unschedulable', scheduled.message ?? '');
  return { state: 'starting', note, failsAt: new Date(since).getTime() + unschedulableMs };
}

/** The first failed pull may be the registry's bad moment; Kubernetes tries again before it backs off. */
const TRIES_AGAIN = new Set(['ErrImagePull', 'CreateContainerError', 'RunContainerError']);
const UNCONFIGURED = 'CreateContainerConfigError';
/** The node has not heard of a Secret yet, or the API did not answer it: it asks again by itself. */
const PASSING = /failed to sync \w+ cache|timed out|(connection|i\/o) (refused|timeout)|secret "[^"]+" not found/i;
const NEVER_STARTS: Record<string, FailureCode> = {
  ImagePullBackOff: 'image_pull_failed',
  InvalidImageName: 'image_pull_failed',
  ErrImageNeverPull: 'image_pull_failed',
  ErrImagePull: 'image_pull_failed',
  CreateContainerConfigError: 'container_refused',
  CreateContainerError: 'container_refused',
  RunContainerError: 'container_refused',
};

function startingVerdict({ state, image }: V1ContainerStatus): Verdict {
  const { reason = '', message = '' } = state?.waiting ?? {};
  const code = NEVER_STARTS[reason];
  if (code === undefined) return { state: 'starting' };
  const said = code === 'image_pull_failed' ? `${image}: ${message || reason}` : message || reason;
  const found = failure(code, said);
  const triesAgain = TRIES_AGAIN.has(reason) || (reason === UNCONFIGURED && PASSING.test(message));
  return triesAgain ? { state: 'starting', note: found } : { state: 'failed', failure: found };
}

function failure(
  code: FailureCode,
  said = '',
  numbers: { exitCode: number | null; signal: string | null } = { exitCode: null, signal: null },
): Failure {
  const { what, hint } = HINTS[code];
  const sentence = said === '' ? what : `${what}: ${said.trim().replace(/\.$/, '')}`;
  return { code, message: hint === undefined ? sentence : `${sentence}. ${hint}`, ...numbers };
}
