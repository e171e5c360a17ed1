import { Injectable } from '@nestjs/common';
import { type LauncherName } from '@reins/shared/api/placement';
import { ReinsError } from '@reins/shared/errors';
import { Config } from '../config/config';
import { ExternalLauncher } from './external/external-launcher';
import { Clusters } from './kubernetes/clusters/clusters';
import { KubernetesLauncher } from './kubernetes/kubernetes-launcher';
import { type Launcher } from './launcher.port';
import { ProcessLauncher } from './process/process-launcher';

/** Every launcher by its name. All of them are observed: a session keeps its own, whatever the default has become. */
@Injectable()
export class Launchers {
  private readonly byName: ReadonlyMap<LauncherName, Launcher>;

  constructor(
    process: ProcessLauncher,
    kubernetes: KubernetesLauncher,
    external: ExternalLauncher,
    private readonly clusters: Clusters,
    private readonly config: Config,
  ) {
    const launchers: Launcher[] = [process, kubernetes, external];
    this.byName = new Map(launchers.map((launcher) => [launcher.name, launcher]));
  }

  /** Throws launcher_unavailable for one this controller does not have. */
  get(name: LauncherName): Launcher {
    const launcher = this.byName.get(name);
    if (launcher === undefined) {
      throw new ReinsError('launcher_unavailable', { message: `This controller has no launcher '${name}'` });
    }
    return launcher;
  }

  all(): Launcher[] {
    return [...this.byName.values()];
  }

  /** The named cluster, else the first. Throws launcher_unavailable where there is none. */
  clusterOf(name: string | undefined): string {
    return this.clusters.nameOf(name);
  }

  /** That of sessions which ask for none. */
  get default(): LauncherName {
    return this.config.env.LAUNCHER;
  }
}
