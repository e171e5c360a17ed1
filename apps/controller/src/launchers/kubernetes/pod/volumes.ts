import { type V1PersistentVolumeClaim, type V1Volume, type V1VolumeMount } from '@kubernetes/client-node';
import { type PodSettings } from '@reins/shared/api/pods';
import { ORG_ANNOTATION, claimName, sessionLabels } from './names';
import { type PodRequest } from './pod-request';

/** The one folder that holds a session: workspace, the harness's state, the home of its agents. */
export const SESSION_FOLDER = '/session';
const SIZE = '10Gi';
const TEMPORARY_SIZE = '1Gi';

/** Whether a session's files outlive its pod. */
export function isPersistent({ workspace }: PodSettings): boolean {
  return (workspace?.type ?? 'persistent') === 'persistent';
}

export function volumes({ sessionId, settings }: Pick<PodRequest, 'sessionId' | 'settings'>): V1Volume[] {
  const sizeLimit = settings.workspace?.size ?? SIZE;
  const session: V1Volume = isPersistent(settings)
    ? { name: 'session', persistentVolumeClaim: { claimName: claimName(sessionId) } }
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
export function workspaceClaim(request: PodRequest): V1PersistentVolumeClaim {
  const { orgId, sessionId, settings } = request;
  const { size = SIZE, storageClassName } = settings.workspace ?? {};
  return {
    metadata: {
      name: claimName(sessionId),
      labels: sessionLabels(request),
      annotations: { [ORG_ANNOTATION]: orgId },
    },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: size } },
      ...(storageClassName !== undefined && { storageClassName }),
    },
  };
}
