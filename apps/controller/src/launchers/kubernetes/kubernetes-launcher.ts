import { Injectable, Logger } from '@nestjs/common';
import { systemClock } from '@reins/shared/util';
import { orgScope } from '../../access/principal';
import { Background } from '../../bus/background';
import { Config } from '../../config/config';
import { Metrics } from '../../metrics/metrics';
import {
  type ExpectedLaunch,
  type FactListener,
  type HostRequest,
  type Launched,
  Launcher,
  type LaunchRequest,
  LaunchRefused,
  type OpenSessions,
  type SessionPod,
  type StopRequest,
} from '../launcher.port';
import { ClusterError } from './clusters/api-error';
import { type Cluster } from './clusters/cluster';
import { Clusters } from './clusters/clusters';
import { InstallationRepository } from '../../database/installation.repository';
import { LaunchObjects } from './launch-objects';
import { isFromOutside } from './observation/failures';
import { type LaunchIdentity, type News } from './observation/launch-state';
import { Observer } from './observation/observer';
import { Reconciler } from './observation/reconciler';
import { podEnvironment } from './pod/environment';
import { WarmBinder } from './pool/warm-binder';
import { type WarmPodDocument } from './pool/warm-pod.schema';
import { WarmPods } from './pool/warm-pods';

const NO_EXIT = { exitCode: null, signal: null };
const GONE_EVERY_MS = 250;
/** About what a harness needs from its first word until its session is active. */
const SETTLE_AFTER_MS = 1_000;
/** The name service and the connection to the node take their time on top of the grace. */
const STOP_MARGIN_MS = 5_000;

/** Harnesses as pods: one Job a start, in any of the clusters this controller knows. */
@Injectable()
export class KubernetesLauncher extends Launcher {
  readonly name = 'kubernetes';
  readonly startsHarness = true;
  private readonly logger = new Logger('KubernetesLauncher');
  private readonly observers = new Map<string, Promise<Observer>>();
  private readonly recovered = new Set<() => void>();
  private readonly closing = new AbortController();
  private listener: FactListener = async () => undefined;

  constructor(
    private readonly config: Config,
    private readonly clusters: Clusters,
    private readonly installation: InstallationRepository,
    private readonly metrics: Metrics,
    private readonly warm: WarmPods,
    private readonly binder: WarmBinder,
    private readonly background: Background,
  ) {
    super();
  }

  observe(listener: FactListener): void {
    this.listener = listener;
  }

  override async check(_orgId: string, _session: HostRequest, pod: SessionPod | null): Promise<void> {
    this.clusters.nameOf(pod?.cluster);
  }

  async launch(request: LaunchRequest): Promise<Launched> {
    const { pod, credentials } = request;
    if (pod === null || credentials === undefined) throw new Error('a pod needs its settings and an identity');
    try {
      const cluster = await this.watched(pod.cluster);
      const bound = await this.binder.bind({ ...request, pod, credentials });
      if ('pod' in bound) this.background.start('the adoption of a warm pod', () => this.settle(bound.pod));
      else {
        // Whatever a warm pod left of the session has to be found by what comes next.
        await this.warm.adoptSession(orgScope(request.orgId), request.sessionId);
        const objects = new LaunchObjects(cluster, await this.installation.id());
        const environment = podEnvironment(process.env, this.config.env.HARNESS_ENV);
        await objects.create({ ...request, pod, credentials: bound.credentials }, environment);
      }
      return { agentId: credentials.agentId };
    } catch (error) {
      return waitOrRefuse(error, pod.cluster);
    }
  }

  async stop(request: StopRequest, graceMs: number): Promise<void> {
    const { sessionId, launchId, pod, final } = request;
    if (pod === null) return;
    const cluster = await this.clusters.get(pod.cluster);
    const objects = new LaunchObjects(cluster, await this.installation.id());
    try {
      const scope = orgScope(request.orgId);
      await this.warm.adoptSession(scope, sessionId);
      if (launchId !== null) {
        await objects.stop(launchId, graceMs);
        await this.gone(objects, sessionId, launchId, graceMs);
      }
      if (final) await objects.removeSession(sessionId);
      await this.warm.retire(scope, sessionId);
    } catch (error) {
      if (final || !(error instanceof ClusterError) || error.trouble !== 'away') throw error;
      this.logger.warn(
        { sessionId, reason: error.message },
        'a pod could not be stopped; it is when its cluster answers',
      );
    }
  }

  async reconcile(expected: readonly ExpectedLaunch[], open: OpenSessions): Promise<void> {
    const tell = (launch: LaunchIdentity, code: 'never_started' | 'pod_deleted', message: string): Promise<void> =>
      this.listener({ ...launch, kind: 'exited', code, message, isFromOutside: true, ...NO_EXIT });
    for (const name of this.clusters.names) {
      try {
        const cluster = await this.watched(name);
        const objects = new LaunchObjects(cluster, await this.installation.id());
        await this.warm.adoptAll(name);
        const own = expected.filter(({ pod }) => pod?.cluster === name);
        await new Reconciler(objects, tell).run(own, open);
      } catch (error) {
        // Sessions that run need no cluster's answer; what was missed is compared when it is seen again.
        if (!(error instanceof ClusterError)) throw error;
        this.logger.warn({ cluster: name, reason: error.message }, 'a cluster could not be compared with the sessions');
      }
    }
  }

  /** Calls when a cluster was out of sight and is seen again. */
  override onRecovered(listener: () => void): void {
    this.recovered.add(listener);
  }

  async close(): Promise<void> {
    this.closing.abort();
    for (const observer of await Promise.allSettled([...this.observers.values()])) {
      if (observer.status === 'fulfilled') await observer.value.close();
    }
  }

  /** The session becomes active first: nothing it waits for shall wait for the cluster's API, or for the next pod. */
  private async settle(pod: WarmPodDocument): Promise<void> {
    await systemClock.sleep(SETTLE_AFTER_MS, this.closing.signal).catch(() => undefined);
    if (this.closing.signal.aborted) return;
    this.binder.refill(pod);
    await this.adopt(pod);
  }

  /** It serves the session already; what the cluster calls its objects may follow. */
  private async adopt(pod: WarmPodDocument): Promise<void> {
    const { orgId, claim } = pod;
    try {
      if ((await this.warm.adopt(pod)) || claim === null) return;
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      this.logger.warn(
        { warmPodId: pod._id, reason: error.message },
        'a warm pod could not be marked as the session’s; it is tried again',
      );
      return;
    }
    const { sessionId, launchId } = claim;
    const gone = { code: 'pod_deleted', message: 'the pod and its Job are gone', isFromOutside: true };
    await this.listener({ orgId, sessionId, launchId, kind: 'exited', ...gone, ...NO_EXIT });
  }

  /** The cluster, and somebody who watches it before anything is made there. */
  private async watched(name: string): Promise<Cluster> {
    const cluster = await this.clusters.get(name);
    const known = this.observers.get(name);
    const observer = known ?? this.watch(cluster);
    if (known === undefined) {
      this.observers.set(name, observer);
      observer.catch(() => this.observers.delete(name));
    }
    await observer;
    return cluster;
  }

  private async watch(cluster: Cluster): Promise<Observer> {
    const { name } = cluster;
    const seen = this.metrics.gauge('reins_cluster_seen', 'Whether a cluster is being watched without a gap', [
      'cluster',
    ]);
    const observer = new Observer(cluster, await this.installation.id(), this.config.env.KUBERNETES_UNSCHEDULABLE_MS, {
      onNews: (identity, news) => this.tell(identity, news),
      onSight: (isSeen) => seen.set({ cluster: name }, isSeen ? 1 : 0),
      onRecovered: () => {
        for (const listener of this.recovered) listener();
      },
    });
    seen.set({ cluster: name }, 1);
    await observer.start();
    this.logger.log({ cluster: name, namespace: cluster.namespace }, 'watching the pods of a cluster');
    return observer;
  }

  private tell(identity: LaunchIdentity, { kind, failure }: News): Promise<void> {
    const { code, message, exitCode, signal } = failure;
    const isExit = kind === 'failed';
    const fact = { ...identity, code, message, exitCode, signal, isFromOutside: isFromOutside(code) };
    return this.listener({ ...fact, kind: isExit ? 'exited' : 'waiting' });
  }

  private async gone(objects: LaunchObjects, sessionId: string, launchId: string, graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs + STOP_MARGIN_MS;
    while (await objects.isRunning(launchId)) {
      if (performance.now() > deadline) {
        this.logger.warn({ sessionId, launchId }, 'a pod outlived its grace; it is ended by force');
        return objects.kill(launchId);
      }
      await systemClock.sleep(GONE_EVERY_MS);
    }
  }
}

/** An API that does not answer is waited for; what it refuses will be refused again. */
function waitOrRefuse(error: unknown, cluster: string): Launched {
  if (!(error instanceof ClusterError)) throw error;
  const { trouble, message } = error;
  switch (trouble) {
    case 'away':
    case 'conflict':
      return { waitingFor: `the Kubernetes API of cluster ${cluster} does not take it (${message})` };
    case 'quota':
      throw new LaunchRefused(
        'quota_exceeded',
        `the namespace's quota is used up: ${message}. End other sessions, or raise the ResourceQuota`,
        { cause: error },
      );
    case 'forbidden':
      throw new LaunchRefused(
        'launcher_forbidden',
        `the controller may not do this in cluster ${cluster}: ${message}`,
        {
          cause: error,
        },
      );
    case 'missing':
    case 'refused':
      throw new LaunchRefused('admission_refused', `the cluster refuses the pod: ${message}`, { cause: error });
  }
}
