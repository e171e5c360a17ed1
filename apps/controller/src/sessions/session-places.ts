import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { systemClock } from '@reins/shared/util';
import { orgScope } from '../access/principal';
import { Bus, type BusMessages } from '../bus/bus';
import { type StopRequest } from '../launchers/launcher.port';
import { Launchers } from '../launchers/launchers';
import { Replica } from '../replicas/replica';
import { Replicas } from '../replicas/replicas';
import { expectedOf } from './session-placement';
import { type SessionDocument } from './session.schema';
import { SessionsRepository } from './sessions.repository';

export const STOP_GRACE_MS = 15_000;
const LOOK_EVERY_MS = 250;
/** Beyond the grace of the harness: until the controller of its place has seen it end. */
const NOTICED_WITHIN_MS = 5_000;
/** Whoever suspended it has stopped it by then, if they could reach it. */
const STOPPED_WITHIN_MS = 40_000;

/**
 * Harnesses that run beside a controller are looked after by the controllers of that machine and data folder only. Where
 * the one that started them is gone, the next one of the place takes over.
 */
@Injectable()
export class SessionPlaces implements OnApplicationBootstrap {
  private readonly logger = new Logger('SessionPlaces');

  constructor(
    private readonly sessions: SessionsRepository,
    private readonly launchers: Launchers,
    private readonly replica: Replica,
    private readonly replicas: Replicas,
    private readonly bus: Bus,
  ) {}

  onApplicationBootstrap(): void {
    this.bus.subscribe('harness.unwanted', (message) => this.stopHere(message), 'elsewhere');
  }

  /** Takes over what belongs to this place and to no living controller; asked again from time to time. */
  async adopt(): Promise<void> {
    const launched = await this.sessions.launchedBeside();
    if (launched.length === 0) return;
    const living = await this.replicas.living();
    const orphans = launched.filter(
      ({ launchedBy }) =>
        launchedBy == null || (launchedBy.place === this.replica.place && !living.includes(launchedBy.replicaId)),
    );
    const adopted: SessionDocument[] = [];
    for (const session of orphans) {
      if (await this.sessions.adopt(session, this.replica.id, this.replica.place)) adopted.push(session);
    }
    if (adopted.length > 0) {
      this.logger.log({ sessions: adopted.length }, 'harnesses of a controller that is gone are looked after here now');
    }
    await this.launchers.get('process').reconcile(expectedOf(adopted), (ids) => this.sessions.openAmong(ids));
    await this.stopForgotten(launched);
  }

  /** Whether the harness runs at another place, where a living controller can be asked to stop it. */
  async stopsElsewhere(session: SessionDocument, request: StopRequest, graceMs: number): Promise<boolean> {
    const { launchedBy, launchId, launcher = 'process' } = session;
    if (launcher !== 'process' || launchedBy == null || launchId === null || this.replicas.isAlone) return false;
    if (launchedBy.place === this.replica.place) return false;
    if (!this.replicas.others.some(({ place }) => place === launchedBy.place)) return false;
    const { orgId, sessionId, reason, final } = request;
    this.bus.publish('harness.unwanted', { orgId, sessionId, launchId, place: launchedBy.place, reason, final });
    const deadline = systemClock.monotonic() + graceMs + NOTICED_WITHIN_MS;
    while (systemClock.monotonic() < deadline) {
      await systemClock.sleep(LOOK_EVERY_MS);
      if ((await this.sessions.get(orgScope(orgId), sessionId))?.launchId !== launchId) break;
    }
    return true;
  }

  private async stopHere({
    orgId,
    sessionId,
    launchId,
    place,
    reason,
    final,
  }: BusMessages['harness.unwanted']): Promise<void> {
    if (place !== this.replica.place) return;
    const request = { orgId, sessionId, launchId, agentId: null, pod: null, reason, final };
    await this.launchers.get('process').stop(request, STOP_GRACE_MS);
  }

  /** Suspended from elsewhere while nobody could tell this place. */
  private async stopForgotten(launched: readonly SessionDocument[]): Promise<void> {
    const before = Date.now() - STOPPED_WITHIN_MS;
    for (const { orgId, _id, launchId, launchedBy, phase, status, statusReason } of launched) {
      const isOver = phase === null && (status === 'suspended' || status === 'failed');
      if (launchedBy?.place !== this.replica.place || launchId === null || !isOver) continue;
      if (statusReason === null || statusReason.at.getTime() > before) continue;
      await this.stopHere({
        orgId,
        sessionId: _id,
        launchId,
        place: launchedBy.place,
        reason: statusReason.message,
        final: false,
      });
    }
  }
}
