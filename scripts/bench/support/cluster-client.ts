import { existsSync } from 'node:fs';
import { type BatchV1Api, type CoreV1Api, type V1Pod, type Watch } from '@kubernetes/client-node';
import { systemClock } from '@reins/shared/util';
import { cluster } from '../../../test/cluster/support/cluster';

const WATCH_AGAIN_MS = 100;

export interface ClusterClient {
  core: CoreV1Api;
  batch: BatchV1Api;
  watch: Watch;
}

/** Why rows about pods cannot run here; undefined where they can. */
export function noCluster(): string | undefined {
  const { KUBECONFIG = '', REINS_CLUSTER_HOST = '' } = process.env;
  if (KUBECONFIG === '') return 'KUBECONFIG is not set: `scripts/cluster exec npm run bench -- …` sets it';
  if (!existsSync(KUBECONFIG)) return `KUBECONFIG names ${KUBECONFIG}, which is not there`;
  if (REINS_CLUSTER_HOST === '') return 'REINS_CLUSTER_HOST does not name the address at which pods reach this machine';
  return undefined;
}

export async function clusterClient(): Promise<ClusterClient> {
  const { KubeConfig, CoreV1Api, BatchV1Api, Watch } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(cluster().kubeconfig);
  return {
    core: config.makeApiClient(CoreV1Api),
    batch: config.makeApiClient(BatchV1Api),
    watch: new Watch(config),
  };
}

type Condition = (pod: V1Pod, isGone: boolean) => boolean;

/** A bare watch of a namespace's pods, by which nothing of ours is between the cluster and the clock. */
export class PodWatch {
  private waiters: { condition: Condition; resolve: (at: number) => void }[] = [];
  private running: AbortController | undefined;
  private isClosed = false;

  private constructor(
    private readonly client: ClusterClient,
    private readonly namespace: string,
  ) {}

  static async open(client: ClusterClient, namespace: string): Promise<PodWatch> {
    const watch = new PodWatch(client, namespace);
    await watch.start();
    return watch;
  }

  /** When the next change comes after which a pod is like this. */
  next(condition: Condition): Promise<number> {
    return new Promise((resolve) => this.waiters.push({ condition, resolve }));
  }

  close(): void {
    this.isClosed = true;
    this.running?.abort();
  }

  private async start(): Promise<void> {
    const path = `/api/v1/namespaces/${this.namespace}/pods`;
    const onEvent = (kind: string, pod: V1Pod): void => this.take(pod, kind === 'DELETED');
    this.running = await this.client.watch.watch(path, {}, onEvent, () => void this.again());
  }

  /** The API server ends a watch from time to time. */
  private async again(): Promise<void> {
    if (this.isClosed) return;
    await systemClock.sleep(WATCH_AGAIN_MS);
    if (!this.isClosed) await this.start();
  }

  private take(pod: V1Pod, isGone: boolean): void {
    const at = performance.now();
    const met = this.waiters.filter(({ condition }) => condition(pod, isGone));
    this.waiters = this.waiters.filter((waiter) => !met.includes(waiter));
    for (const { resolve } of met) resolve(at);
  }
}

export const isRunning = ({ status }: V1Pod): boolean => status?.containerStatuses?.[0]?.state?.running !== undefined;

export const isTerminated = ({ status }: V1Pod): boolean =>
  status?.phase === 'Failed' || status?.containerStatuses?.[0]?.state?.terminated !== undefined;
