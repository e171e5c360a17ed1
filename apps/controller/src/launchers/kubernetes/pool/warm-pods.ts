import { Injectable, Logger } from '@nestjs/common';
import { type OrgScope, orgScope } from '../../../access/principal';
import { Background } from '../../../bus/background';
import { Bus } from '../../../bus/bus';
import { Clusters } from '../clusters/clusters';
import { InstallationRepository } from '../../../database/installation.repository';
import { WarmObjects } from './warm-objects';
import { type WarmPodDocument } from './warm-pod.schema';
import { type WarmPodState } from './warm-pod-state';
import { WarmPodsRepository } from './warm-pods.repository';

/** What is done with a warm pod once it is there: it becomes a session's for good, or it goes. */
@Injectable()
export class WarmPods {
  private readonly logger = new Logger('WarmPool');

  constructor(
    private readonly pods: WarmPodsRepository,
    private readonly clusters: Clusters,
    private readonly installation: InstallationRepository,
    private readonly bus: Bus,
    private readonly background: Background,
  ) {}

  async objectsIn(cluster: string): Promise<WarmObjects> {
    return new WarmObjects(await this.clusters.get(cluster), await this.installation.id());
  }

  /** Its objects become the session's. False where there is nothing left of them. Throws a ClusterError. */
  async adopt(pod: WarmPodDocument): Promise<boolean> {
    const isThere = await (await this.objectsIn(pod.cluster)).adopt(pod);
    await this.pods.noteAdopted(orgScope(pod.orgId), pod._id);
    return isThere;
  }

  /** Before anything is done with the objects of a session: what could not be adopted when it was bound. */
  async adoptSession(scope: OrgScope, sessionId: string): Promise<void> {
    const bound = await this.pods.boundTo(scope, sessionId);
    await Promise.all(bound.filter(({ adopted }) => !adopted).map((pod) => this.adopt(pod)));
  }

  async adoptAll(cluster: string): Promise<void> {
    const bound = await this.pods.toAdopt();
    await Promise.all(bound.filter((pod) => pod.cluster === cluster).map((pod) => this.adopt(pod)));
  }

  /** The harness of the session was stopped: its pod is gone. */
  async retire(scope: OrgScope, sessionId: string): Promise<void> {
    const bound = await this.pods.boundTo(scope, sessionId);
    await Promise.all(bound.map(({ _id }) => this.pods.move(scope, _id, 'gone')));
  }

  /** Never used again, from the moment this resolves; what is left of it in the cluster goes behind. */
  async recycle(pod: WarmPodDocument, from?: readonly WarmPodState[]): Promise<boolean> {
    const gone = await this.pods.move(orgScope(pod.orgId), pod._id, 'gone', from);
    if (gone === undefined) return false;
    this.bus.publish('pool.claimed', { warmPodId: pod._id });
    this.background.start('the removal of a warm pod', () => this.remove(gone));
    return true;
  }

  private async remove({ _id, cluster }: WarmPodDocument): Promise<void> {
    try {
      await (await this.objectsIn(cluster)).remove(_id);
    } catch (error) {
      // The loop that keeps the pools finds what is left.
      this.logger.warn({ err: error, warmPodId: _id }, 'a warm pod could not be removed; it is tried again');
    }
  }
}
