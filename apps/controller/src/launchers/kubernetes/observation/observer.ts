import {
  type CoreV1Event,
  type KubernetesObject,
  type ListWatch,
  type V1Job,
  type V1ObjectMeta,
  type V1Pod,
} from '@kubernetes/client-node';
import { Logger } from '@nestjs/common';
import { backoffMs, type Interval, startInterval, systemClock } from '@reins/shared/util';
import { type Cluster } from '../clusters/cluster';
import { ownSelector } from '../pod/names';
import { identityOf, LaunchState, type LaunchIdentity, type News } from './launch-state';

/** Durations that decide, not events, are looked at this often. */
const LOOK_EVERY_MS = 500;
const RESTART_BASE_MS = 250;
const RESTART_CAP_MS = 10_000;
/** Events of Jobs whose pods could not be made; the Job itself does not say why. */
const NOT_CREATED = 'involvedObject.kind=Job,reason=FailedCreate';

export interface ObserverEvents {
  /** Where it rejects the same news is told again. */
  onNews: (identity: LaunchIdentity, news: News) => Promise<void>;
  /** The cluster is seen again after a time without: whatever happened meanwhile has to be compared. */
  onRecovered: () => void;
  /** Whether the cluster is being seen. */
  onSight: (isSeen: boolean) => void;
}

/**
 * Watches the Jobs and pods of this controller in one cluster. An informer ends when its connection breaks, so each is
 * started anew, with back-off, for as long as this lives; every start lists first, and so misses nothing.
 */
export class Observer {
  private readonly logger = new Logger('Kubernetes');
  private readonly states = new Map<string, LaunchState>();
  private readonly telling = new Map<string, Promise<void>>();
  /** What was said of Jobs whose pods could not be made, by the Job's name. */
  private readonly refusals = new Map<string, string>();
  private readonly informers: ListWatch<KubernetesObject>[] = [];
  private readonly closed = new AbortController();
  private readonly blind = new Set<string>();
  private looking: Interval | undefined;

  constructor(
    private readonly cluster: Cluster,
    private readonly installation: string,
    private readonly unschedulableMs: number,
    private readonly events: ObserverEvents,
  ) {}

  async start(): Promise<void> {
    const { ListWatch, Watch } = await import('@kubernetes/client-node');
    const { namespace, apis } = this.cluster;
    const watch = new Watch(apis.config);
    const labelSelector = ownSelector(this.installation);
    const core = `/api/v1/namespaces/${namespace}`;
    const pods = new ListWatch<V1Pod>(
      `${core}/pods`,
      watch,
      () => apis.core.listNamespacedPod({ namespace, labelSelector }),
      false,
      labelSelector,
    );
    pods.on('change', (pod) => this.see(pod.metadata, (state) => state.podSeen(pod)));
    pods.on('delete', (pod) => this.see(pod.metadata, (state) => state.podGone(pod)));
    const jobs = new ListWatch<V1Job>(
      `/apis/batch/v1/namespaces/${namespace}/jobs`,
      watch,
      () => apis.batch.listNamespacedJob({ namespace, labelSelector }),
      false,
      labelSelector,
    );
    jobs.on('change', (job) => this.see(job.metadata, (state) => state.jobSeen(job)));
    jobs.on('delete', (job) => this.see(job.metadata, (state) => state.jobGone()));
    const events = new ListWatch<CoreV1Event>(
      `${core}/events`,
      watch,
      () => apis.core.listNamespacedEvent({ namespace, fieldSelector: NOT_CREATED }),
      false,
      undefined,
      NOT_CREATED,
    );
    events.on('change', (event) => this.noteRefusal(event));
    events.on('delete', ({ involvedObject }) => this.refusals.delete(involvedObject.name ?? ''));
    await Promise.all([this.keep('pods', pods), this.keep('jobs', jobs), this.keep('events', events)]);
    this.looking = startInterval({
      everyMs: LOOK_EVERY_MS,
      run: () => this.look(),
      onError: (error) => this.logger.warn({ err: error }, 'the look at pods that do not start failed; it goes on'),
    });
  }

  async close(): Promise<void> {
    this.closed.abort();
    await Promise.all([this.looking?.stop(), ...this.informers.map((informer) => informer.stop())]);
  }

  private noteRefusal({ involvedObject, message }: CoreV1Event): void {
    const { name } = involvedObject;
    if (name === undefined || message === undefined) return;
    this.refusals.set(name, message);
    for (const state of this.states.values()) if (state.jobName === name) this.tell(state);
  }

  /** Keeps one informer going. Resolves when it was started for the first time, whether it saw anything or not. */
  private async keep(what: string, informer: ListWatch<KubernetesObject>): Promise<void> {
    this.informers.push(informer);
    let broken = new AbortController();
    informer.on('error', (error: unknown) => broken.abort(error));
    const start = async (): Promise<void> => {
      broken = new AbortController();
      await informer.start();
      if (!broken.signal.aborted) this.sees(what, true);
    };
    await start();
    void this.renew(what, () => broken.signal, start);
  }

  private async renew(what: string, broken: () => AbortSignal, start: () => Promise<void>): Promise<void> {
    for (let attempt = 1; !this.closed.signal.aborted; attempt++) {
      const signal = AbortSignal.any([broken(), this.closed.signal]);
      if (!signal.aborted) {
        attempt = 0;
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        continue;
      }
      this.sees(what, false);
      const reason = reasonOf(broken().reason);
      this.logger.warn({ cluster: this.cluster.name, what, reason }, 'a watch broke off; it is renewed');
      const waitMs = backoffMs(attempt, RESTART_BASE_MS, RESTART_CAP_MS);
      await systemClock.sleep(waitMs, this.closed.signal).catch(() => undefined);
      if (!this.closed.signal.aborted) await start();
    }
  }

  private sees(what: string, isSeen: boolean): void {
    const wasBlind = this.blind.size > 0;
    if (isSeen) this.blind.delete(what);
    else this.blind.add(what);
    const isBlind = this.blind.size > 0;
    if (wasBlind !== isBlind) this.events.onSight(!isBlind);
    if (wasBlind && !isBlind) this.events.onRecovered();
  }

  private see(metadata: V1ObjectMeta | undefined, note: (state: LaunchState) => void): void {
    const identity = identityOf(metadata);
    if (identity === undefined) return;
    const state = this.states.get(identity.launchId) ?? new LaunchState(identity);
    this.states.set(identity.launchId, state);
    note(state);
    this.tell(state);
  }

  private look(): void {
    for (const state of this.states.values()) this.tell(state);
  }

  /** One at a time for a start, so that what is told stays in order. */
  private tell(state: LaunchState): void {
    const { launchId } = state.identity;
    if (this.telling.has(launchId)) return;
    state.notCreated = this.refusals.get(state.jobName);
    const news = state.news(Date.now(), this.unschedulableMs);
    if (news === undefined) {
      if (state.isFinished) this.states.delete(launchId);
      return;
    }
    const told = this.events
      .onNews(state.identity, news)
      .catch((error: unknown) => {
        this.logger.error(
          { err: error, ...state.identity },
          'what became of a pod could not be recorded; it is told again',
        );
        state.retell();
      })
      .finally(() => this.telling.delete(launchId));
    this.telling.set(launchId, told);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
