import { Injectable } from '@nestjs/common';
import { type OrgScope } from '../access/principal';
import { Config } from '../config/config';
import { RuntimesService } from '../definitions/runtimes/runtimes.service';
import { type WorkerDocument } from '../definitions/workers/worker.schema';
import { sessionPod } from '../launchers/kubernetes/pod/session-pod';
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
    const runtime = await this.runtimes.get(scope, worker.runtimeId);
    const defaults = this.config.env.KUBERNETES_POD ?? {};
    return sessionPod(runtime, worker.pod ?? {}, defaults, (name) => this.launchers.clusterOf(name));
  }
}
