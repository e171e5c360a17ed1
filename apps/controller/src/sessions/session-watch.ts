import { Injectable, Logger, type OnApplicationBootstrap, type BeforeApplicationShutdown } from '@nestjs/common';
import { type Interval, startInterval } from '@reins/shared/util';
import { orgScope } from '../access/principal';
import { Background } from '../bus/background';
import { Config } from '../config/config';
import { EventLog } from '../events/event-log';
import { Launchers } from '../launchers/launchers';
import { Leadership } from '../replicas/leadership';
import { TurnsService } from '../turns/turns.service';
import { EndPipeline } from './end-pipeline';
import { SessionLifecycle } from './session-lifecycle';
import { expectedOf } from './session-placement';
import { SessionPlaces } from './session-places';
import { SessionsRepository } from './sessions.repository';
import { SessionsService } from './sessions.service';

const LOOK_EVERY_MS = 5_000;
/** Longer than a living controller needs from making a session to having its harness started. */
const FORGOTTEN_AFTER_MS = 15_000;

/** Settles at boot what a crash left open, then looks after sessions that idle, expire or never get ready. */
@Injectable()
export class SessionWatch implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('SessionWatch');
  private loop: Interval | undefined;

  constructor(
    private readonly sessions: SessionsRepository,
    private readonly service: SessionsService,
    private readonly lifecycle: SessionLifecycle,
    private readonly endPipeline: EndPipeline,
    private readonly launchers: Launchers,
    private readonly turns: TurnsService,
    private readonly log: EventLog,
    private readonly background: Background,
    private readonly places: SessionPlaces,
    private readonly leadership: Leadership,
    private readonly config: Config,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.settle();
    this.loop = startInterval({
      everyMs: LOOK_EVERY_MS,
      run: () => this.look(),
      onError: (error) => this.logger.warn({ err: error }, 'the watch over sessions failed; it goes on'),
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop?.stop();
    await Promise.all(this.launchers.all().map((launcher) => launcher.close()));
  }

  private async settle(): Promise<void> {
    await this.places.adopt();
    // Whoever leads does the rest from time to time.
    if (!this.leadership.isLeader()) return;
    const launched = await this.sessions.launched();
    for (const launcher of this.launchers.all()) {
      if (launcher.name === 'process') continue;
      const own = launched.filter((session) => this.lifecycle.launcherOf(session) === launcher);
      await launcher.reconcile(expectedOf(own), (ids) => this.sessions.openAmong(ids));
    }
    await this.finishEnds();
    await this.launchForgotten(0);
  }

  /** Sessions whose controller died before it had a harness started for them. */
  private async launchForgotten(afterMs: number): Promise<void> {
    const before = Date.now() - afterMs;
    for (const session of await this.sessions.everywhere('pending')) {
      if (session.launchId !== null || session.createdAt.getTime() > before) continue;
      this.background.start('the launch of a harness', () =>
        this.lifecycle.launch(orgScope(session.orgId), session._id),
      );
    }
  }

  private async look(): Promise<void> {
    const now = Date.now();
    const { SESSION_IDLE_SECONDS, LAUNCH_TIMEOUT_MS } = this.config.env;
    await this.places.adopt();
    if (!this.leadership.isLeader()) return;
    await this.finishEnds();
    await this.launchForgotten(FORGOTTEN_AFTER_MS);
    await this.expire(new Date(now));
    await this.giveUpLateStarts(new Date(now - LAUNCH_TIMEOUT_MS));
    if (SESSION_IDLE_SECONDS > 0) await this.suspendIdle(new Date(now - SESSION_IDLE_SECONDS * 1000));
    await this.trimLogs();
  }

  /** What could not be finished, for a launcher or a database that was away, is gone on with. */
  private async finishEnds(): Promise<void> {
    for (const session of await this.sessions.everywhere('ending')) {
      this.background.start('the end of a session', () => this.endPipeline.run(orgScope(session.orgId), session));
    }
  }

  private async expire(now: Date): Promise<void> {
    for (const status of ['active', 'suspended', 'pending', 'failed'] as const) {
      for (const session of await this.sessions.everywhere(status, { expiredAt: now })) {
        await this.service.end(orgScope(session.orgId), session._id, 'system:expiry');
      }
    }
  }

  private async giveUpLateStarts(before: Date): Promise<void> {
    const seconds = this.config.env.LAUNCH_TIMEOUT_MS / 1000;
    for (const status of ['pending', 'suspended'] as const) {
      for (const session of await this.sessions.everywhere(status, { launchedBefore: before })) {
        const waits = session.launcher === 'external' && session.phase === 'provisioning';
        // Its workspace is on that host, and the host may come back.
        if (waits && status === 'suspended') continue;
        const why = waits && session.statusReason !== null ? ` ${session.statusReason.message}` : '';
        const message = `No harness became ready within ${seconds} s.${why} LAUNCH_TIMEOUT_MS sets the limit.`;
        await this.lifecycle.failBootstrap(orgScope(session.orgId), session, message);
      }
    }
  }

  private async suspendIdle(since: Date): Promise<void> {
    for (const session of await this.sessions.everywhere('active', { idleSince: since })) {
      const scope = orgScope(session.orgId);
      if (await this.turns.hasLive(scope, session._id)) {
        await this.sessions.touch(scope, session._id, new Date());
        continue;
      }
      const message = `idle for ${this.config.env.SESSION_IDLE_SECONDS} s; the next prompt starts it again`;
      await this.lifecycle.suspend(scope, session._id, 'system:idle', 'idle', message);
    }
  }

  private async trimLogs(): Promise<void> {
    const most = this.config.env.EVENTS_MAX_BYTES_PER_SESSION;
    if (most === 0) return;
    for (const session of await this.sessions.everywhere('active')) {
      await this.log.trim(orgScope(session.orgId), session._id, most);
    }
  }
}
