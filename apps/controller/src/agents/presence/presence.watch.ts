import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { type Interval, startInterval, systemClock } from '@reins/shared/util';
import { orgScope } from '../../access/principal';
import { Bus } from '../../bus/bus';
import { Config } from '../../config/config';
import { Metrics } from '../../metrics/metrics';
import { Leadership } from '../../replicas/leadership';
import { AgentEvents } from './agent-events';
import { PresenceService } from './presence.service';

const MOST_EVERY_MS = 5_000;
const LEAST_EVERY_MS = 50;
const PAGE = 500;
/** Looks that may be late before this controller counts as having been deaf itself. */
const DEAF_AFTER_LOOKS = 4;

/** Notices who went silent. Nobody stays online for ever, and nobody goes offline because the controller was away. */
@Injectable()
export class PresenceWatch implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('PresenceWatch');
  private readonly everyMs: number;
  private loop: Interval | undefined;
  /** Of the last look that went well, on the monotonic clock. */
  private lookedAt: number | undefined;

  constructor(
    private readonly presence: PresenceService,
    private readonly events: AgentEvents,
    private readonly bus: Bus,
    private readonly metrics: Metrics,
    private readonly leadership: Leadership,
    { env }: Config,
  ) {
    const shortest = Math.min(env.HEARTBEAT_MS, env.RECONNECT_GRACE_MS, env.AGENT_BEAT_SECONDS * 1000);
    this.everyMs = Math.min(MOST_EVERY_MS, Math.max(LEAST_EVERY_MS, shortest / 2));
  }

  onApplicationBootstrap(): void {
    this.bus.subscribe(
      'agent.revoked',
      async ({ orgId, agentId, reason }) => {
        if (reason !== 'ended') await this.presence.revoked(orgScope(orgId), agentId, new Date());
      },
      'here',
    );
    this.loop = startInterval({
      everyMs: this.everyMs,
      jitter: 0.1,
      run: () => this.look(),
      onError: (error) => this.logger.warn({ err: error }, 'the watch over agents failed; it goes on'),
    });
    this.loop.trigger();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop?.stop();
  }

  private async look(): Promise<void> {
    // A new leader begins by giving everyone the time to be heard: nobody may have listened for a while.
    if (this.leadership.isLeader()) await this.findSilent();
    else this.lookedAt = undefined;
    const online = await this.presence.countOnline();
    this.metrics
      .gauge('reins_agents_online', 'Agents that are online, over all controllers of the database')
      .set(online);
    await this.events.flush();
  }

  private async findSilent(): Promise<void> {
    const began = systemClock.monotonic();
    const isDeaf = this.lookedAt === undefined || began - this.lookedAt > DEAF_AFTER_LOOKS * MOST_EVERY_MS;
    if (isDeaf) await this.presence.listenAgain(new Date());
    while (await this.presence.markSilent(new Date(), PAGE)) continue;
    this.lookedAt = systemClock.monotonic();
  }
}
