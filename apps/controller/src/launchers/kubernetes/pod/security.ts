import { type V1PodSecurityContext, type V1SecurityContext } from '@kubernetes/client-node';

/** The user of the images; the workspace's volume is made writable for its group. */
export const HARNESS_UID = 1000;

/** Passes the `restricted` Pod Security Standard. */
export function podSecurity(): V1PodSecurityContext {
  return {
    runAsNonRoot: true,
    runAsUser: HARNESS_UID,
    runAsGroup: HARNESS_UID,
    fsGroup: HARNESS_UID,
    // A workspace of many files would be walked at each start otherwise.
    fsGroupChangePolicy: 'OnRootMismatch',
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

export function containerSecurity(): V1SecurityContext {
  return {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
}
