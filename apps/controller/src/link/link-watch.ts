import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { type Interval, startInterval } from '@reins/shared/util';
import { Bus } from '../bus/bus';
import { SharedBus } from '../bus/shared-bus';
import { Replicas } from '../replicas/replicas';
import { DoorbellsRepository } from './doorbells.repository';
import { Connections } from './connections';

const LOOK_EVERY_MS = 1_000;
/** While other controllers are heard, only lost messages are looked for. */
const LOOKS_BETWEEN_CHECKS = 10;

/** Rings for the harnesses connected here what another controller has stored and could not ring, or whose ring was lost. */
@Injectable()
export class LinkWatch implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('LinkWatch');
  private loop: Interval | undefined;
  private looks = 0;
  private isDue = false;

  constructor(
    private readonly connections: Connections,
    private readonly doorbells: DoorbellsRepository,
    private readonly replicas: Replicas,
    private readonly bus: Bus,
    private readonly shared: SharedBus,
  ) {}

  onApplicationBootstrap(): void {
    this.loop = startInterval({
      everyMs: LOOK_EVERY_MS,
      jitter: 0.2,
      run: () => this.look(),
      onError: (error) => this.logger.warn({ err: error }, 'missed rings could not be looked for; it is tried again'),
    });
    const lookNow = (): void => {
      this.isDue = true;
      this.loop?.trigger();
    };
    this.shared.onUpChange(lookNow);
    this.replicas.onChange(lookNow);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop?.stop();
  }

  private async look(): Promise<void> {
    this.looks++;
    const isDue = this.isDue || !this.bus.isHeard || this.looks % LOOKS_BETWEEN_CHECKS === 0;
    if (!this.isDue && (this.replicas.isAlone || !isDue)) return;
    this.isDue = false;
    const here = this.connections.all();
    const sessionIds = here.flatMap(({ sessions }) => [...sessions]);
    const agentIds = here.map(({ agent }) => agent.agentId);
    if (agentIds.length === 0) return;
    const [queued, commanded, offered, lost] = await Promise.all([
      this.doorbells.withQueuedTurns(sessionIds),
      this.doorbells.withOpenCommands(sessionIds),
      this.doorbells.offeredTo(agentIds),
      this.doorbells.lost(here),
    ]);
    for (const message of queued) this.bus.ring('turn.queued', message);
    for (const message of commanded) this.bus.ring('command.queued', message);
    for (const message of offered) this.bus.ring('session.bound', message);
    for (const message of lost) this.bus.ring('session.unbound', message);
  }
}
