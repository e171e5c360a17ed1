const SUFFIX = 6;

/** Name of the Job, Secret and policy of one start; a session is started anew under another name. */
export function launchName(sessionId: string, launchId: string): string {
  return `${sessionId}-${launchId.slice(-SUFFIX)}`;
}

/** Name of the claim made for a session's workspace, which outlives its pods. A warm pod brings another one along. */
export function claimName(sessionId: string): string {
  return sessionId;
}

export const LABELS = {
  managedBy: 'app.kubernetes.io/managed-by',
  component: 'app.kubernetes.io/component',
  controller: 'reins.dev/controller',
  session: 'reins.dev/session',
  worker: 'reins.dev/worker',
  org: 'reins.dev/org',
  launch: 'reins.dev/launch',
  pool: 'reins.dev/pool',
  warm: 'reins.dev/warm',
} as const;

/** Ids of organisations come from outside and may be no label: they stand whole in an annotation. */
export const ORG_ANNOTATION = 'reins.dev/org';

/** When a warm pod's claim became a session's. */
export const BOUND_ANNOTATION = 'reins.dev/bound-at';

export const WARM = 'warm';

interface Warm {
  warmPodId: string;
  poolKey: string;
  installation: string;
}

interface Labelled {
  orgId: string;
  sessionId: string;
  workerId: string;
  launchId: string;
  installation: string;
}

/** Labels of what belongs to one start of a session's harness. */
export function launchLabels(request: Labelled): Record<string, string> {
  return { ...sessionLabels(request), [LABELS.launch]: request.launchId };
}

/** Labels of what belongs to a session for as long as it lives. */
export function sessionLabels({ orgId, sessionId, workerId, installation }: Labelled): Record<string, string> {
  return {
    [LABELS.managedBy]: 'reins',
    [LABELS.component]: 'session',
    [LABELS.controller]: installation,
    [LABELS.session]: sessionId,
    [LABELS.worker]: workerId,
    [LABELS.org]: labelValue(orgId),
  };
}

/** Labels of what belongs to a pod started ahead; once it is a session's it has those of its session beside them. */
export function warmLabels({ warmPodId, poolKey, installation }: Warm): Record<string, string> {
  return {
    [LABELS.managedBy]: 'reins',
    [LABELS.component]: WARM,
    [LABELS.controller]: installation,
    [LABELS.pool]: poolKey,
    [LABELS.warm]: warmPodId,
  };
}

/** Selects what was started ahead and is nobody's yet. */
export function warmSelector(installation: string): string {
  return `${ownSelector(installation)},${LABELS.component}=${WARM}`;
}

/** Selects everything this controller made in a namespace. */
export function ownSelector(installation: string): string {
  return `${LABELS.managedBy}=reins,${LABELS.controller}=${installation}`;
}

function labelValue(text: string): string {
  return text
    .replace(/[^A-Za-z0-9_.-]/g, '_')
    .slice(0, 63)
    .replace(/[^A-Za-z0-9]+$/, '');
}
