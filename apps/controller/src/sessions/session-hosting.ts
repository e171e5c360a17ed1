import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { type Interval, startInterval, systemClock } from '@reins/shared/util';
import { type OrgScope, orgScope } from '../access/principal';
import { HostsRepository } from '../agents/hosts.repository';
import { Bus } from '../bus/bus';
import { Launchers } from '../launchers/launchers';
import { Leadership } from '../replicas/leadership';
import { SessionLifecycle } from './session-lifecycle';
import { expectedOf, PUT_OFF } from './session-placement';
import { type SessionDocument } from './session.schema';
import { SessionsRepository } from './sessions.repository';

const LOOK_EVERY_MS = 1_000;
/** Whoever holds the host's socket asks it at once; after this long nobody did. */
const OFFER_LASTS_MS = 6_000;
const REPAIR_EVERY_MS = 30_000;
const GATHER_RINGS_MS = 25;

/**
 * Brings sessions to autonomous agents and notices when those are gone for good: at once where somebody rings, else at
 * the next look.
 */
@Injectable()
export class SessionHosting implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('SessionHosting');
  private loop: Interval | undefined;
  private repairedAt = 0;
  private isRung = false;

  constructor(
    private readonly sessions: SessionsRepository,
    private readonly lifecycle: SessionLifecycle,
    private readonly launchers: Launchers,
    private readonly hosts: HostsRepository,
    private readonly bus: Bus,
    private readonly leadership: Leadership,
  ) {}

  onApplicationBootstrap(): void {
    this.loop = startInterval({
      everyMs: LOOK_EVERY_MS,
      run: () => this.look(),
      onError: (error) => this.logger.warn({ err: error }, 'the watch over hosted sessions failed; it goes on'),
    });
    this.launchers.get('kubernetes').onRecovered(() => this.recovered());
    this.bus.subscribe('host.available', () => this.ring());
    this.bus.subscribe('agent.revoked', ({ orgId, agentId }) => this.revoked(orgScope(orgId), agentId), 'here');
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop?.stop();
  }

  /** The host has the session; its workspace comes next. */
  async taken(scope: OrgScope, sessionId: string, agentId: string, incarnation: string): Promise<void> {
    await this.lifecycle.connected(scope, sessionId, agentId, incarnation);
  }

  /** The host refused the session or did not answer: its place is free again, and the next host is asked. */
  async notTaken(scope: OrgScope, sessionId: string, agentId: string, why: string): Promise<void> {
    const session = await this.sessions.withdrawHost(scope, sessionId, agentId, why);
    if (session === undefined) return;
    this.logger.log({ sessionId, agentId, why }, 'a host did not take a session');
    await this.hosts.release(scope, sessionId, agentId);
    await this.lifecycle.place(scope, session);
  }

  /** Hosts that come back together are one reason to look, not many. */
  private async ring(): Promise<void> {
    if (this.isRung) return;
    this.isRung = true;
    await systemClock.sleep(GATHER_RINGS_MS);
    this.isRung = false;
    this.loop?.trigger();
  }

  private async look(): Promise<void> {
    if (!this.leadership.isLeader()) return;
    const now = Date.now();
    for (const session of await this.sessions.onTheirWay('connecting', new Date(now - OFFER_LASTS_MS))) {
      const { orgId, _id, agentId } = session;
      if (agentId !== null) await this.notTaken(orgScope(orgId), _id, agentId, 'the host did not answer');
    }
    await this.placeWaiting();
    await this.startPutOff();
    if (now - this.repairedAt < REPAIR_EVERY_MS) return;
    this.repairedAt = now;
    await this.repair();
  }

  /** The oldest first. Of those that ask for the same, the first that finds nobody speaks for all who know why. */
  private async placeWaiting(): Promise<void> {
    const unmet = new Map<string, string>();
    for (const session of await this.sessions.onTheirWay('provisioning')) {
      const wish = wishOf(session);
      const known = unmet.get(wish);
      if (known !== undefined && session.statusReason?.message === known) continue;
      const waitsFor = await this.lifecycle.place(orgScope(session.orgId), session);
      if (waitsFor !== undefined) unmet.set(wish, waitsFor);
    }
  }

  /** Starts that a cluster did not take. The first that is put off again speaks for the rest of its cluster. */
  private async startPutOff(): Promise<void> {
    const away = new Set<string>();
    for (const session of await this.sessions.putOff(PUT_OFF)) {
      const { cluster = '' } = session.pod ?? {};
      if (away.has(cluster)) continue;
      if ((await this.lifecycle.place(orgScope(session.orgId), session)) !== undefined) away.add(cluster);
    }
  }

  /** A cluster is seen again: what became of its pods meanwhile is compared at once. */
  private recovered(): void {
    this.repairedAt = 0;
    this.loop?.trigger();
  }

  /** What nobody rang for, or nobody heard. */
  private async repair(): Promise<void> {
    const launched = await this.sessions.launched();
    for (const name of ['external', 'kubernetes'] as const) {
      const own = launched.filter(({ launcher }) => launcher === name);
      await this.launchers.get(name).reconcile(expectedOf(own), (ids) => this.sessions.openAmong(ids));
    }
    for (const { _id, orgId } of await this.hosts.withSessions()) await this.revoked(orgScope(orgId), _id);
  }

  /** A host that was deleted or suspended serves nobody; one with new credentials only has to come back. */
  private async revoked(scope: OrgScope, agentId: string): Promise<void> {
    const host = await this.hosts.get(scope, agentId);
    if (host?.type !== 'autonomous' || (!host.isDeleted && host.status !== 'suspended')) return;
    const what = host.isDeleted ? 'deleted' : 'suspended';
    const message = `Its agent ${host.name} (${agentId}) was ${what}`;
    for (const session of await this.sessions.ofAgent(scope, agentId)) {
      if (session.launcher !== 'external' || session.status === 'ending') continue;
      if (!host.isDeleted && session.status === 'suspended' && session.launchId === null) continue;
      await this.lifecycle.hostLost(scope, session, `host_${what}`, message, host.isDeleted);
    }
  }
}

function wishOf({ orgId, cliType, placement, agentId, refusals = [] }: SessionDocument): string {
  // Who was refused by some host asks for other hosts than the rest.
  return JSON.stringify([orgId, cliType, placement, agentId, refusals.map((refusal) => refusal.agentId)]);
}
