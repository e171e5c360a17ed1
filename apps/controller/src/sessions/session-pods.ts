import { Injectable } from '@nestjs/common';
import { type PodSettings } from '@reins/shared/api/pods';
import { type OrgScope } from '../access/principal';
import { Config } from '../config/config';
import { RuntimesService } from '../definitions/runtimes/runtimes.service';
import { type WorkerDocument } from '../definitions/workers/worker.schema';
import { type SessionPod } from '../launchers/launcher.port';
import { Launchers } from '../launchers/launchers';

/** How the pods of a worker's sessions are made: as the worker says, else its runtime, else KUBERNETES_POD. */
@Injectable()
export class SessionPods {
  constructor(
    private readonly runtimes: RuntimesService,
    private readonly launchers: Launchers,
    private readonly config: Config,
  ) {}

  /** Throws launcher_unavailable where there is no such cluster. */
  async of(scope: OrgScope, worker: Pick<WorkerDocument, 'runtimeId' | 'pod'>): Promise<SessionPod> {
    const { vwImage, baseImage } = await this.runtimes.get(scope, worker.runtimeId);
    const settings = merged(this.config.env.KUBERNETES_POD, worker.pod ?? {});
    const cluster = this.launchers.clusterOf(settings.cluster);
    return { cluster, image: worker.pod?.image ?? vwImage ?? baseImage, settings };
  }
}

/** What is said of one resource leaves the others as they are. */
function merged(defaults: PodSettings, own: PodSettings): PodSettings {
  const resources = {
    requests: { ...defaults.resources?.requests, ...own.resources?.requests },
    limits: { ...defaults.resources?.limits, ...own.resources?.limits },
  };
  return { ...defaults, ...own, resources };
}
