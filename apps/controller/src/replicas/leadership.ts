import { type BeforeApplicationShutdown, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { type Interval, startInterval, systemClock } from '@reins/shared/util';
import { Bus } from '../bus/bus';
import { Config } from '../config/config';
import { Metrics } from '../metrics/metrics';
import { LeasesRepository } from './leases.repository';
import { Replica } from './replica';
import { Replicas } from './replicas';

const LEASE = 'leader';
const RENEWALS = 3;

export type LeadershipListener = (isLeader: boolean) => void;

/**
 * Which of the replicas runs what must run once: the holder of a lease in the database. A leader that cannot renew stops
 * counting as one before another can take over.
 */
@Injectable()
export class Leadership implements OnModuleInit, BeforeApplicationShutdown {
  private readonly logger = new Logger('Leadership');
  private readonly listeners = new Set<LeadershipListener>();
  private readonly leaseMs: number;
  private readonly gauge;
  private loop: Interval | undefined;
  private unsubscribe: (() => void) | undefined;
  private heldUntil = 0;
  private heldTerm = 0;
  private told = false;
  private resigned = false;

  constructor(
    private readonly leases: LeasesRepository,
    private readonly replicas: Replicas,
    private readonly self: Replica,
    private readonly bus: Bus,
    metrics: Metrics,
    { env }: Config,
  ) {
    this.leaseMs = env.REPLICA_LEASE_MS;
    this.gauge = metrics.gauge('reins_leader', '1 where this controller runs the loops that must run once');
  }

  async onModuleInit(): Promise<void> {
    await this.renew().catch((error: unknown) => this.failed(error));
    this.loop = startInterval({
      everyMs: this.leaseMs / RENEWALS,
      jitter: 0.1,
      run: () => this.renew(),
      onError: (error) => this.failed(error),
    });
    this.unsubscribe = this.bus.subscribe('leader.resigned', () => this.loop?.trigger(), 'elsewhere');
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.unsubscribe?.();
    await this.resign();
  }

  /** Exact at any moment: false as soon as the lease may have run out. */
  isLeader(): boolean {
    return !this.resigned && systemClock.monotonic() < this.heldUntil;
  }

  /** Rises with every change of the leader: what is stored under an older term was stored by an earlier leader. */
  get term(): number {
    return this.heldTerm;
  }

  /** Told whenever this controller becomes the leader or is it no longer. Returns the unsubscribe function. */
  onChange(listener: LeadershipListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** For good: somebody else may take over at once. */
  async resign(): Promise<void> {
    if (this.resigned) return;
    this.resigned = true;
    await this.loop?.stop();
    const held = this.heldUntil > 0;
    this.tell();
    if (!held) return;
    try {
      await this.leases.release(LEASE, this.self.id);
      this.bus.publish('leader.resigned', { replicaId: this.self.id });
    } catch (error) {
      this.logger.warn({ err: error }, 'the lead could not be handed over; it ends with its lease');
    }
  }

  private async renew(): Promise<void> {
    // Counted from before the question: the database dates the lease later than this.
    const from = systemClock.monotonic();
    const term = (await this.leases.take(LEASE, this.self.id, this.leaseMs)) ?? (await this.takeFromTheDead());
    this.heldUntil = term === undefined ? 0 : from + this.leaseMs;
    this.heldTerm = term ?? this.heldTerm;
    this.tell();
  }

  /** A leader that the process table knows to be dead need not be waited for. */
  private async takeFromTheDead(): Promise<number | undefined> {
    const holder = await this.leases.holder(LEASE);
    if (holder === undefined || !(await this.replicas.isKnownDead(holder))) return undefined;
    await this.leases.release(LEASE, holder);
    return this.leases.take(LEASE, this.self.id, this.leaseMs);
  }

  private failed(error: unknown): void {
    this.logger.warn({ err: error }, 'the lease of the leader could not be renewed; it is tried again');
    this.tell();
  }

  private tell(): void {
    const isLeader = this.isLeader();
    this.gauge.set(isLeader ? 1 : 0);
    if (isLeader === this.told) return;
    this.told = isLeader;
    this.logger.log({ replicaId: this.self.id, term: this.heldTerm }, isLeader ? 'leading' : 'not leading any more');
    for (const listener of this.listeners) listener(isLeader);
  }
}
