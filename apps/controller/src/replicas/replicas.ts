import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { type Interval, startInterval, systemClock } from '@reins/shared/util';
import { Bus } from '../bus/bus';
import { Config } from '../config/config';
import { Metrics } from '../metrics/metrics';
import { isKnownDead } from './process-identity';
import { Replica } from './replica';
import { type ReplicaDocument, ReplicasRepository } from './replicas.repository';

/** Beats in the time after which a silent replica counts as gone. */
const BEATS = 3;

/** The controllers of this database: says that this one lives, and knows who else does. */
@Injectable()
export class Replicas implements BeforeApplicationShutdown {
  private readonly logger = new Logger('Replicas');
  private readonly leaseMs: number;
  private beating: Interval | undefined;
  private unsubscribe: (() => void) | undefined;
  private readonly listeners = new Set<() => void>();
  private known: ReplicaDocument[] = [];
  private hadOthers = false;

  constructor(
    private readonly repository: ReplicasRepository,
    private readonly self: Replica,
    private readonly bus: Bus,
    private readonly metrics: Metrics,
    private readonly config: Config,
  ) {
    this.leaseMs = config.env.REPLICA_LEASE_MS;
  }

  /** Joins the others. Throws where this controller may not run beside them. */
  async join(): Promise<void> {
    await this.repository.prepare();
    await this.refuseCompany();
    await this.look();
    this.beating = startInterval({
      everyMs: this.leaseMs / BEATS,
      run: () => this.look(),
      onError: (error) => this.logger.warn({ err: error }, 'a sign of life could not be stored; the next one follows'),
    });
    this.unsubscribe = this.bus.subscribe('replicas.changed', () => this.beating?.trigger(), 'elsewhere');
    this.bus.publish('replicas.changed', { replicaId: this.self.id });
    if (this.known.length > 0 && !this.bus.isShared) {
      this.logger.warn(
        { others: this.known.map(({ _id }) => _id) },
        'other controllers use this database and REDIS_URL is not set: they hear of each other by polling, which is slower',
      );
    }
  }

  /** Living replicas beside this one, as of the last look. */
  get others(): readonly ReplicaDocument[] {
    return this.known;
  }

  get isAlone(): boolean {
    return this.known.length === 0;
  }

  /** Whether there ever were others while this one ran: what is remembered from then may be theirs to know. */
  get hadCompany(): boolean {
    return this.hadOthers;
  }

  /** Told whenever another controller came or went. */
  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Ids of all that live, this one among them; asks the database. */
  async living(): Promise<string[]> {
    return [this.self.id, ...(await this.otherLiving()).map(({ _id }) => _id)];
  }

  /** Whether the process table of this machine says that the replica is gone. */
  async isKnownDead(id: string): Promise<boolean> {
    const replica = await this.repository.get(id);
    return replica !== undefined && isKnownDead(replica, this.self.machine);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.unsubscribe?.();
    if (this.beating === undefined) return;
    await this.beating.stop();
    await this.repository.forget(this.self.id).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'this controller could not take its leave; the others notice its silence');
    });
    this.bus.publish('replicas.changed', { replicaId: this.self.id });
  }

  private async look(): Promise<void> {
    await this.repository.beat(this.self.facts);
    const before = this.known.map(({ _id }) => _id).join();
    this.known = await this.otherLiving();
    this.hadOthers ||= this.known.length > 0;
    if (this.known.map(({ _id }) => _id).join() !== before) for (const listener of this.listeners) listener();
    this.metrics
      .gauge('reins_replicas', 'Controllers that use this database, this one among them')
      .set(this.known.length + 1);
  }

  private async otherLiving(): Promise<ReplicaDocument[]> {
    const living = await this.repository.living();
    return living.filter((replica) => replica._id !== this.self.id && !isKnownDead(replica, this.self.machine));
  }

  /** One that died without a goodbye seems to live until its time is up, so it is waited for. */
  private async refuseCompany(): Promise<void> {
    if (this.bus.isShared || this.config.env.REPLICAS_WITHOUT_REDIS === 'poll') return;
    const from = systemClock.monotonic();
    let said = false;
    for (;;) {
      const [other] = await this.otherLiving();
      if (other === undefined) return;
      const name = `${other._id} (pid ${other.pid} on ${other.machine.split('/')[0] ?? ''})`;
      if (systemClock.monotonic() - from > other.leaseMs * (1 + 1 / BEATS)) {
        throw new Error(
          `Another controller, ${name}, uses this database, and REPLICAS_WITHOUT_REDIS=refuse. ` +
            'Set REDIS_URL for several controllers, or REPLICAS_WITHOUT_REDIS=poll to let them hear of each other by polling.',
        );
      }
      if (!said) {
        this.logger.warn(
          { other: other._id, upToMs: other.leaseMs },
          'another controller seems to use this database; waiting to see whether it still lives',
        );
      }
      said = true;
      await systemClock.sleep(this.leaseMs / BEATS / 2);
    }
  }
}
