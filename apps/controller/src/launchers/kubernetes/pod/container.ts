import { type V1Container, type V1ResourceRequirements } from '@kubernetes/client-node';
import { type PodSettings } from '@reins/shared/api/pods';
import { HARNESS_ENV } from '@reins/shared/link/limits';
import { type AnyPodRequest, podNames } from './pod-request';
import { containerSecurity } from './security';
import { SESSION_FOLDER, volumeMounts } from './volumes';

export const CONTAINER = 'harness';
/** Between the polite signal and the end, unless the worker says otherwise. */
export const GRACE_SECONDS = 30;
const AFTER_DRAIN_SECONDS = 10;
const TERMINATION_LOG = '/dev/termination-log';

/** Enough for a CLI and a build; a worker says what it needs otherwise. */
const DEFAULT_RESOURCES = {
  requests: { cpu: '100m', memory: '256Mi' },
  limits: { cpu: '2', memory: '2Gi', 'ephemeral-storage': '4Gi' },
};

/** The harness, started by its image's own command. */
export function harnessContainer(request: AnyPodRequest): V1Container {
  const { image, settings } = request;
  return {
    name: CONTAINER,
    image,
    imagePullPolicy: settings.imagePullPolicy ?? 'IfNotPresent',
    envFrom: [{ secretRef: { name: podNames(request).name } }],
    env: [
      { name: HARNESS_ENV.workspace, value: `${SESSION_FOLDER}/workspace` },
      { name: HARNESS_ENV.stateDir, value: `${SESSION_FOLDER}/state` },
      { name: HARNESS_ENV.managed, value: 'true' },
      { name: HARNESS_ENV.terminationLog, value: TERMINATION_LOG },
      { name: 'REINS_DRAIN_MS', value: String(drainMs(settings)) },
      { name: 'HOME', value: `${SESSION_FOLDER}/home` },
      { name: 'TMPDIR', value: '/tmp' },
    ],
    resources: resourcesOf(request),
    volumeMounts: volumeMounts(),
    securityContext: containerSecurity(),
    terminationMessagePath: TERMINATION_LOG,
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

/** Of the pod's grace, what a turn may take to its end; the rest is for commits and the last events. */
function drainMs({ terminationGracePeriodSeconds = GRACE_SECONDS }: PodSettings): number {
  return Math.max(1, terminationGracePeriodSeconds - AFTER_DRAIN_SECONDS) * 1000;
}

function resourcesOf({ settings }: AnyPodRequest): V1ResourceRequirements {
  const { requests, limits } = settings.resources ?? {};
  return {
    requests: given({ ...DEFAULT_RESOURCES.requests, ...requests }),
    limits: given({ ...DEFAULT_RESOURCES.limits, ...limits }),
  };
}

function given(amounts: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).flatMap(([name, amount]) => (amount ? [[name, amount]] : [])));
}
