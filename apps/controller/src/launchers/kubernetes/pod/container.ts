import { type V1Container, type V1ResourceRequirements } from '@kubernetes/client-node';
import { HARNESS_ENV } from '@reins/shared/link/limits';
import { type AnyPodRequest, podNames } from './pod-request';
import { containerSecurity } from './security';
import { SESSION_FOLDER, volumeMounts } from './volumes';

export const CONTAINER = 'harness';
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
