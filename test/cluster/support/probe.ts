import { type V1Container, type V1Pod, type V1PodSpec } from '@kubernetes/client-node';
import { image } from './cluster';

export interface ProbeOptions {
  container?: Partial<V1Container>;
  spec?: Partial<V1PodSpec>;
  labels?: Record<string, string>;
}

/**
 * The spec of a pod that runs small commands one after another (scripts/local-cluster/images/probe) under the
 * `restricted` level: not root, read-only root, no capabilities.
 */
export function probeSpec(commands: string[][], options: ProbeOptions = {}): V1PodSpec {
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 10,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'probe',
        image: image('probe'),
        imagePullPolicy: 'IfNotPresent',
        args: commands.flatMap((words, index) => (index === 0 ? words : ['--', ...words])),
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        ...options.container,
      },
    ],
    ...options.spec,
  };
}

export function probePod(name: string, commands: string[][], options: ProbeOptions = {}): V1Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: options.labels },
    spec: probeSpec(commands, options),
  };
}
