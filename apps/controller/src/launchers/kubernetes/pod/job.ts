import { type V1Job, type V1PodSpec } from '@kubernetes/client-node';
import { GRACE_SECONDS, harnessContainer } from './container';
import { type AnyPodRequest, podNames } from './pod-request';
import { podSecurity } from './security';
import { volumes } from './volumes';

/** The fields of a finished Job are looked at for this long, if its controller was away. */
const KEPT_SECONDS = 600;

/** One Job a start: it runs its pod once, for what comes after a failure is the controller's to decide. */
export function sessionJob(request: AnyPodRequest): V1Job {
  const { name, labels, annotations } = podNames(request);
  const keep = 'warmPodId' in request ? {} : KEEP;
  return {
    metadata: { name, labels, annotations },
    spec: {
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      activeDeadlineSeconds: request.deadlineSeconds,
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template: { metadata: { labels, annotations: { ...annotations, ...keep } }, spec: podSpec(request) },
    },
  };
}

/** An autoscaler must not move the agent away in the middle of its work. */
export const KEEP = { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' };

function podSpec(request: AnyPodRequest): V1PodSpec {
  const { settings } = request;
  const { nodeSelector, tolerations, priorityClassName, runtimeClassName, imagePullSecrets } = settings;
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    // The first process of the pod reaps what the agents' commands leave behind.
    shareProcessNamespace: true,
    terminationGracePeriodSeconds: settings.terminationGracePeriodSeconds ?? GRACE_SECONDS,
    securityContext: podSecurity(),
    containers: [harnessContainer(request)],
    volumes: volumes(request),
    ...(nodeSelector && { nodeSelector }),
    ...(tolerations && { tolerations }),
    ...(priorityClassName && { priorityClassName }),
    ...(runtimeClassName && { runtimeClassName }),
    ...(imagePullSecrets && { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
  };
}
