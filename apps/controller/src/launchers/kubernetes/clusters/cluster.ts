import {
  type BatchV1Api,
  type CoreV1Api,
  type KubeConfig,
  type NetworkingV1Api,
  type V1Job,
  type V1NetworkPolicy,
  type V1OwnerReference,
  type V1PersistentVolumeClaim,
  type V1Pod,
  type V1Secret,
} from '@kubernetes/client-node';
import { systemClock } from '@reins/shared/util';
import { ClusterError, toClusterError } from './api-error';

export interface ClusterApis {
  config: KubeConfig;
  core: CoreV1Api;
  batch: BatchV1Api;
  networking: NetworkingV1Api;
}

/** Operations of JSON Patch, which the client sends by default. */
export type Patch = readonly { op: 'add' | 'replace'; path: string; value: unknown }[];

/** The sessions' namespace of one cluster. Every call ends within `timeoutMs` and throws a ClusterError. */
export class Cluster {
  constructor(
    readonly name: string,
    readonly namespace: string,
    /** Where harnesses there reach the controller, if not where everyone does. */
    readonly baseUrl: string | undefined,
    readonly apis: ClusterApis,
    private readonly timeoutMs: number,
  ) {}

  createSecret(body: V1Secret): Promise<V1Secret> {
    return this.call(() => this.apis.core.createNamespacedSecret({ namespace: this.namespace, body }));
  }

  createPolicy(body: V1NetworkPolicy): Promise<V1NetworkPolicy> {
    return this.call(() => this.apis.networking.createNamespacedNetworkPolicy({ namespace: this.namespace, body }));
  }

  createClaim(body: V1PersistentVolumeClaim): Promise<V1PersistentVolumeClaim> {
    return this.call(() => this.apis.core.createNamespacedPersistentVolumeClaim({ namespace: this.namespace, body }));
  }

  createJob(body: V1Job): Promise<V1Job> {
    return this.call(() => this.apis.batch.createNamespacedJob({ namespace: this.namespace, body }));
  }

  /** The Job's Secret and policy go when it goes, whoever deletes it. */
  async own(name: string, owner: V1OwnerReference): Promise<void> {
    const { namespace } = this;
    const body = [{ op: 'add', path: '/metadata/ownerReferences', value: [owner] }];
    await this.call(() =>
      Promise.all([
        this.apis.core.patchNamespacedSecret({ namespace, name, body }),
        this.apis.networking.patchNamespacedNetworkPolicy({ namespace, name, body }),
      ]),
    );
  }

  patchJob(name: string, body: Patch): Promise<V1Job> {
    const { namespace } = this;
    return this.call(() => this.apis.batch.patchNamespacedJob({ namespace, name, body }));
  }

  patchPod(name: string, body: Patch): Promise<V1Pod> {
    const { namespace } = this;
    return this.call(() => this.apis.core.patchNamespacedPod({ namespace, name, body }));
  }

  patchSecret(name: string, body: Patch): Promise<V1Secret> {
    const { namespace } = this;
    return this.call(() => this.apis.core.patchNamespacedSecret({ namespace, name, body }));
  }

  patchPolicy(name: string, body: Patch): Promise<V1NetworkPolicy> {
    const { namespace } = this;
    return this.call(() => this.apis.networking.patchNamespacedNetworkPolicy({ namespace, name, body }));
  }

  patchClaim(name: string, body: Patch): Promise<V1PersistentVolumeClaim> {
    const { namespace } = this;
    return this.call(() => this.apis.core.patchNamespacedPersistentVolumeClaim({ namespace, name, body }));
  }

  /** Its pod is asked to leave, and ended after its own grace. A missing one is fine. */
  deleteJob(name: string): Promise<void> {
    const { namespace } = this;
    return this.gone(() => this.apis.batch.deleteNamespacedJob({ namespace, name, propagationPolicy: 'Background' }));
  }

  deletePod(name: string, gracePeriodSeconds?: number): Promise<void> {
    const { namespace } = this;
    return this.gone(() => this.apis.core.deleteNamespacedPod({ namespace, name, gracePeriodSeconds }));
  }

  deleteSecret(name: string): Promise<void> {
    return this.gone(() => this.apis.core.deleteNamespacedSecret({ namespace: this.namespace, name }));
  }

  deletePolicy(name: string): Promise<void> {
    const { namespace } = this;
    return this.gone(() => this.apis.networking.deleteNamespacedNetworkPolicy({ namespace, name }));
  }

  deleteClaim(name: string): Promise<void> {
    return this.gone(() => this.apis.core.deleteNamespacedPersistentVolumeClaim({ namespace: this.namespace, name }));
  }

  pods(labelSelector: string): Promise<V1Pod[]> {
    const { namespace } = this;
    return this.call(async () => (await this.apis.core.listNamespacedPod({ namespace, labelSelector })).items);
  }

  jobs(labelSelector: string): Promise<V1Job[]> {
    const { namespace } = this;
    return this.call(async () => (await this.apis.batch.listNamespacedJob({ namespace, labelSelector })).items);
  }

  secrets(labelSelector: string): Promise<V1Secret[]> {
    const { namespace } = this;
    return this.call(async () => (await this.apis.core.listNamespacedSecret({ namespace, labelSelector })).items);
  }

  policies(labelSelector: string): Promise<V1NetworkPolicy[]> {
    const { networking } = this.apis;
    const request = { namespace: this.namespace, labelSelector };
    return this.call(async () => (await networking.listNamespacedNetworkPolicy(request)).items);
  }

  claims(labelSelector: string): Promise<V1PersistentVolumeClaim[]> {
    const { core } = this.apis;
    const request = { namespace: this.namespace, labelSelector };
    return this.call(async () => (await core.listNamespacedPersistentVolumeClaim(request)).items);
  }

  /** Why the pod of a Job could not be made, as the last event says. */
  refusalOf(jobName: string): Promise<string | undefined> {
    const { namespace } = this;
    const fieldSelector = `involvedObject.kind=Job,involvedObject.name=${jobName},reason=FailedCreate`;
    return this.call(async () => {
      const { items } = await this.apis.core.listNamespacedEvent({ namespace, fieldSelector });
      return items.at(-1)?.message;
    });
  }

  /** What the API itself says of a missing object is what was asked for. */
  private async gone(request: () => Promise<unknown>): Promise<void> {
    try {
      await this.call(request);
    } catch (error) {
      if (!(error instanceof ClusterError) || error.trouble !== 'missing') throw error;
    }
  }

  /** The client takes no signal, so a request that hangs is left to itself. */
  private async call<T>(request: () => Promise<T>): Promise<T> {
    const answered = new AbortController();
    const tooLate = systemClock.sleep(this.timeoutMs, answered.signal).then(
      () => {
        throw new ClusterError('away', `the Kubernetes API of cluster ${this.name} did not answer in time`);
      },
      () => new Promise<never>(() => undefined),
    );
    try {
      return await Promise.race([request(), tooLate]);
    } catch (error) {
      throw toClusterError(error);
    } finally {
      answered.abort();
    }
  }
}
