/** Every way a session's pod can fail: in plain words, and what helps. */
export const HINTS = {
  image_pull_failed: {
    what: 'the image of the harness cannot be had',
    hint: "Check the runtime's vwImage and the pod's imagePullSecrets",
  },
  container_refused: {
    what: 'the node does not start the container',
    hint: 'The image must run as user 1000 with a read-only root',
  },
  unschedulable: {
    what: 'no node takes the pod',
    hint: "Lower the pod's resources.requests, change its nodeSelector or tolerations, or add a node",
  },
  quota_exceeded: {
    what: "the namespace's quota is used up",
    hint: 'End other sessions, lower resources, or raise the ResourceQuota',
  },
  admission_refused: {
    what: 'the cluster refuses the pod',
    hint: 'Its admission rules must allow pods of the restricted Pod Security Standard',
  },
  oom_killed: {
    what: 'the harness was ended because its memory was used up',
    hint: "Raise the pod's resources.limits.memory",
  },
  evicted: {
    what: 'the node evicted the pod',
    hint: 'Raise resources.requests, or limits.ephemeral-storage where the disk was full',
  },
  preempted: { what: 'a pod of higher priority took its place', hint: 'Give the pod a priorityClassName' },
  deadline_exceeded: {
    what: "the pod's time was up",
    hint: "The worker's timeout sets how long a session may live",
  },
  node_lost: { what: 'the node of the pod is gone', hint: undefined },
  node_refused: { what: 'the node refused the pod', hint: undefined },
  pod_deleted: { what: 'the pod was deleted', hint: undefined },
  pod_failed: { what: 'the pod failed', hint: undefined },
  harness_exited: { what: 'the harness ended', hint: undefined },
  never_started: { what: 'the harness was never started', hint: undefined },
} as const satisfies Record<string, { what: string; hint: string | undefined }>;

export type FailureCode = keyof typeof HINTS;

/** Not the harness's own doing: it says nothing about whether the next one would live. */
const FROM_OUTSIDE: ReadonlySet<string> = new Set<FailureCode>([
  'evicted',
  'preempted',
  'node_lost',
  'node_refused',
  'pod_deleted',
  'deadline_exceeded',
]);

export function isFromOutside(code: string): boolean {
  return FROM_OUTSIDE.has(code);
}
