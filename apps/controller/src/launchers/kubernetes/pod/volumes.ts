import { type V1PersistentVolumeClaim, type V1Volume, type V1VolumeMount } from '@kubernetes/client-node';
import { type PodSettings } from '@reins/shared/api/pods';
import { type AnyPodRequest, claimOf, podNames, type WithClaim } from './pod-request';

/** The one folder that holds a session: workspace, the harness's state, the home of its agents. */
export const SESSION_FOLDER = '/session';
const SIZE = '10Gi';
const TEMPORARY_SIZE = '1Gi';

/** Whether a session's files outlive its pod. */
export function isPersistent({ workspace }: PodSettings): boolean {
  return (workspace?.type ?? 'persistent') === 'persistent';
}

export function volumes(request: WithClaim & Pick<AnyPodRequest, 'settings'>): V1Volume[] {
  const { settings } = request;
  const sizeLimit = settings.workspace?.size ?? SIZE;
  const session: V1Volume = isPersistent(settings)
    ? { name: 'session', persistentVolumeClaim: { claimName: claimOf(request) } }
    : { name: 'session', emptyDir: { sizeLimit } };
  return [session, { name: 'tmp', emptyDir: { sizeLimit: TEMPORARY_SIZE } }];
}

export function volumeMounts(): V1VolumeMount[] {
  return [
    { name: 'session', mountPath: SESSION_FOLDER },
    { name: 'tmp', mountPath: '/tmp' },
  ];
}

/** Not owned by a Job: it stays while the session is suspended, and goes with the session. */
export function workspaceClaim(request: AnyPodRequest): V1PersistentVolumeClaim {
  const { claim, annotations } = podNames(request);
  const { size = SIZE, storageClassName } = request.settings.workspace ?? {};
  return {
    metadata: { name: claim.name, labels: claim.labels, annotations },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: size } },
      ...(storageClassName !== undefined && { storageClassName }),
    },
  };
}
