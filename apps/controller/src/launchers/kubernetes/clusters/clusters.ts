import { existsSync, readFileSync } from 'node:fs';
import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { Config } from '../../../config/config';
import { Cluster } from './cluster';
import { type ClusterSettings } from '../../../config/cluster-settings';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The clusters sessions may run in. The client is loaded when the first of them is asked for. */
@Injectable()
export class Clusters {
  private readonly settings: ReadonlyMap<string, ClusterSettings>;
  private readonly connected = new Map<string, Promise<Cluster>>();

  constructor(private readonly config: Config) {
    const { LAUNCHER, LAUNCHER_CLUSTERS } = config.env;
    const single = LAUNCHER === 'kubernetes' ? { default: {} } : {};
    this.settings = new Map(Object.entries(LAUNCHER_CLUSTERS ?? single));
  }

  /** In the order of LAUNCHER_CLUSTERS; empty where this controller has none. */
  get names(): string[] {
    return [...this.settings.keys()];
  }

  /** The named one, else the first. Throws launcher_unavailable where there is no such cluster. */
  nameOf(wanted: string | null | undefined): string {
    const name = wanted ?? this.names[0];
    if (name === undefined) {
      const hint = 'Set LAUNCHER_CLUSTERS, or LAUNCHER=kubernetes for the cluster the controller runs in.';
      throw new ReinsError('launcher_unavailable', { message: `This controller has no Kubernetes cluster. ${hint}` });
    }
    if (!this.settings.has(name)) {
      const message = `There is no cluster '${name}'; LAUNCHER_CLUSTERS has ${this.names.join(', ') || 'none'}`;
      throw new ReinsError('launcher_unavailable', { message });
    }
    return name;
  }

  get(name: string): Promise<Cluster> {
    const known = this.connected.get(name);
    if (known !== undefined) return known;
    const connecting = this.connect(name, this.settings.get(this.nameOf(name)) as ClusterSettings);
    this.connected.set(name, connecting);
    // A kubeconfig that cannot be read may be there at the next try.
    connecting.catch(() => this.connected.delete(name));
    return connecting;
  }

  private async connect(name: string, settings: ClusterSettings): Promise<Cluster> {
    const { KubeConfig, BatchV1Api, CoreV1Api, NetworkingV1Api } = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    if (settings.kubeconfig !== undefined) config.loadFromFile(settings.kubeconfig);
    else if (existsSync(`${SERVICE_ACCOUNT}/token`)) config.loadFromCluster();
    else config.loadFromDefault();
    if (settings.context !== undefined) config.setCurrentContext(settings.context);
    const { KUBERNETES_NAMESPACE, KUBERNETES_TIMEOUT_MS } = this.config.env;
    const context = config.getContextObject(config.getCurrentContext());
    const namespace = settings.namespace ?? KUBERNETES_NAMESPACE ?? context?.namespace ?? ownNamespace() ?? 'default';
    const apis = {
      config,
      core: config.makeApiClient(CoreV1Api),
      batch: config.makeApiClient(BatchV1Api),
      networking: config.makeApiClient(NetworkingV1Api),
    };
    return new Cluster(name, namespace, settings.baseUrl, apis, KUBERNETES_TIMEOUT_MS);
  }
}

function ownNamespace(): string | undefined {
  const file = `${SERVICE_ACCOUNT}/namespace`;
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
}
