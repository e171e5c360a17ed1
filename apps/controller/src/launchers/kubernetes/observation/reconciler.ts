import { type ExpectedLaunch, type OpenSessions } from '../../launcher.port';
import { type LaunchObjects } from '../launch-objects';
import { type LaunchIdentity } from './launch-state';

/** Younger than this, it may be part of a start that is under way. */
const SETTLED_AFTER_MS = 60_000;
/** Another controller may be about to make its objects. */
const UNDER_WAY_MS = 20_000;
const STOP_GRACE_MS = 15_000;

export type TellMissing = (
  launch: LaunchIdentity,
  code: 'never_started' | 'pod_deleted',
  message: string,
) => Promise<void>;

/** Compares a cluster with the sessions: tells which starts have no Job, and removes what belongs to no session. */
export class Reconciler {
  constructor(
    private readonly objects: LaunchObjects,
    private readonly tell: TellMissing,
  ) {}

  async run(expected: readonly ExpectedLaunch[], open: OpenSessions): Promise<void> {
    const { jobs, others } = await this.objects.inventory();
    const started = new Set(jobs.map(({ launchId }) => launchId));
    for (const { orgId, sessionId, launchId, launchedAt, isStarting, isWanted } of expected) {
      if (started.has(launchId)) {
        if (!isWanted) await this.objects.stop(launchId, STOP_GRACE_MS);
        continue;
      }
      if (isStarting && (launchedAt?.getTime() ?? 0) > Date.now() - UNDER_WAY_MS) continue;
      const code = isStarting ? 'never_started' : 'pod_deleted';
      const message = isStarting ? 'the harness was never started' : 'the pod and its Job are gone';
      await this.tell({ orgId, sessionId, launchId }, code, message);
    }

    const settled = (item: { createdAt: number }): boolean => item.createdAt < Date.now() - SETTLED_AFTER_MS;
    const wanted = new Set(expected.map(({ launchId }) => launchId));
    const orphans = jobs.filter((job) => settled(job) && !wanted.has(job.launchId ?? ''));
    const all = [...jobs, ...others].filter(settled).map(({ sessionId }) => sessionId);
    const living = await open([...new Set(all)]);
    for (const { sessionId, launchId = '' } of orphans) {
      if (living.has(sessionId)) await this.objects.stop(launchId, STOP_GRACE_MS);
    }
    for (const sessionId of new Set(all)) if (!living.has(sessionId)) await this.objects.removeSession(sessionId);
  }
}
