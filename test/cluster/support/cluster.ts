import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SCRIPT = join(__dirname, '../../../scripts/cluster');
const run = promisify(execFile);

export interface Cluster {
  kubeconfig: string;
  /** Where pods reach what this test listens on, if it listens on every interface. Unset on clusters elsewhere. */
  host: string | undefined;
}

/** The cluster that these tests were started for. */
export function cluster(): Cluster {
  const kubeconfig = process.env.KUBECONFIG;
  if (!kubeconfig)
    throw new Error('KUBECONFIG is not set: these tests need a cluster. Start them with ./scripts/test --cluster');
  // A missing file would only show as a refused connection to localhost.
  readFileSync(kubeconfig);
  return { kubeconfig, host: process.env.REINS_CLUSTER_HOST };
}

/** Address and port, as pods reach them, of something that listens on every interface of this process's namespace. */
export function reachableFromPods(port: number): string {
  const { host } = cluster();
  if (!host)
    throw new Error('REINS_CLUSTER_HOST is not set: name the address at which pods of this cluster reach this machine');
  return `${host}:${port}`;
}

/** The name of one of our images in this cluster, for example `image('harness')`. */
export function image(name: string): string {
  return `${process.env.REINS_IMAGE_PREFIX ?? 'localhost/'}reins-${name}:${process.env.IMAGE_TAG ?? 'dev'}`;
}

export type ClusterPart = 'apiserver' | 'controller-manager' | 'scheduler' | 'containerd' | 'kubelet' | 'node';

/** Parts can be stopped where the cluster is the one of scripts/cluster; tests that need it are skipped elsewhere. */
export function canStopParts(): boolean {
  return process.env.REINS_CLUSTER_PARTS === '1';
}

/** Stops one part and returns how to start it again, which waits until it answers. */
export async function stopPart(part: ClusterPart, how: 'stop' | 'kill' = 'stop'): Promise<() => Promise<void>> {
  await run(SCRIPT, [how, part]);
  return async () => {
    await run(SCRIPT, ['start', part]);
  };
}
