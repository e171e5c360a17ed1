import { type V1Container, type V1PersistentVolumeClaimSpec, type V1PodSpec } from '@kubernetes/client-node';
import { cluster } from '../../../test/cluster/support/cluster';
import { type ClusterClient } from './cluster-client';
import { SESSION_LABEL } from './pod-subject';

export const BARE_LABEL = 'bench.reins.dev/bare';

/** What a bare pod does instead of, or with, what a session's does. */
export interface Bare {
  name: string;
  command?: string[];
  secret: Record<string, string>;
}

interface Template {
  spec: V1PodSpec;
  claim: V1PersistentVolumeClaimSpec;
}

/** Pods with the very spec of a session's, made by nobody but the driver and the cluster. */
export class BarePods {
  private constructor(
    private readonly client: ClusterClient,
    private readonly namespace: string,
    private readonly template: Template,
  ) {}

  /** Takes the spec from a session that runs. */
  static async like(client: ClusterClient, namespace: string, sessionId: string): Promise<BarePods> {
    const labelSelector = `${SESSION_LABEL}=${sessionId}`;
    const [job] = (await client.batch.listNamespacedJob({ namespace, labelSelector })).items;
    const [claim] = (await client.core.listNamespacedPersistentVolumeClaim({ namespace, labelSelector })).items;
    const spec = job?.spec?.template.spec;
    if (spec === undefined || claim?.spec === undefined)
      throw new Error(`session ${sessionId} has no Job, or no claim`);
    const { accessModes, resources, storageClassName } = claim.spec;
    return new BarePods(client, namespace, { spec, claim: { accessModes, resources, storageClassName } });
  }

  async job(bare: Bare): Promise<void> {
    await this.needs(bare);
    const { name } = bare;
    const spec = { backoffLimit: 0, template: { metadata: { labels: labels(name) }, spec: this.specOf(bare) } };
    await this.client.batch.createNamespacedJob({ namespace: this.namespace, body: { metadata: { name }, spec } });
  }

  async pod(bare: Bare): Promise<void> {
    await this.needs(bare);
    const { name } = bare;
    const body = { metadata: { name, labels: labels(name) }, spec: this.specOf(bare) };
    await this.client.core.createNamespacedPod({ namespace: this.namespace, body });
  }

  /** Ends it with everything made for it. */
  async remove(name: string, isJob: boolean): Promise<void> {
    const { namespace } = this;
    const { core, batch } = this.client;
    if (isJob) await batch.deleteNamespacedJob({ namespace, name, propagationPolicy: 'Background' });
    const labelSelector = `${BARE_LABEL}=${name}`;
    const { items } = await core.listNamespacedPod({ namespace, labelSelector });
    const one = (pod: string): Promise<unknown> =>
      // The Job's own removal may have come first.
      core.deleteNamespacedPod({ namespace, name: pod, gracePeriodSeconds: 0 }).catch(() => undefined);
    await Promise.all(items.map(({ metadata }) => one(metadata?.name ?? '')));
    await core.deleteNamespacedSecret({ namespace, name });
    await core.deleteNamespacedPersistentVolumeClaim({ namespace, name });
  }

  /** What a session's pod needs as well, made as fast. */
  private async needs({ name, secret }: Bare): Promise<void> {
    const { namespace } = this;
    const { core } = this.client;
    await Promise.all([
      core.createNamespacedSecret({ namespace, body: { metadata: { name }, stringData: secret } }),
      core.createNamespacedPersistentVolumeClaim({
        namespace,
        body: { metadata: { name }, spec: this.template.claim },
      }),
    ]);
  }

  private specOf({ name, command }: Bare): V1PodSpec {
    const { spec } = this.template;
    const containers = spec.containers.map((container): V1Container => ({
      ...container,
      envFrom: [{ secretRef: { name } }],
      ...(command !== undefined && { command }),
    }));
    const volumes = spec.volumes?.map((volume) =>
      volume.persistentVolumeClaim === undefined ? volume : { ...volume, persistentVolumeClaim: { claimName: name } },
    );
    return { ...spec, containers, ...(volumes && { volumes }) };
  }
}

/** The address of this machine as pods reach it. */
export function hostForPods(): string {
  return cluster().host ?? '';
}

const labels = (name: string): Record<string, string> => ({ [BARE_LABEL]: name });
