import { Injectable } from '@nestjs/common';
import { HeartbeatRequest } from '@reins/shared/api/agents';
import { type PresenceReason } from '@reins/shared/api/agent-presence';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope, orgScope } from '../../access/principal';
import { Config } from '../../config/config';
import { agentNotFound } from '../agent-configuration.service';
import { type AgentDocument } from '../agent.schema';
import { AgentEvents } from './agent-events';
import { AgentMetrics } from './agent-metrics';
import { PresenceRepository } from './presence.repository';

/** What has to be stored of an agent still, for a goodbye to count. */
type HeldAs = Partial<Pick<AgentDocument, 'incarnation' | 'connectionId'>>;

/** How an agent reports that it is alive: by requests of its own, or over the link as this incarnation. */
export type BeatChannel = { via: 'http' } | { via: 'link'; incarnation: string };

/** What an update that hears from an agent sets. */
export type SignOfLife = Pick<AgentDocument, 'online' | 'beatEveryMs' | 'aliveUntil'>;

/** A socket of the agent, as it is known to one controller. */
export interface HeldLink {
  incarnation: string;
  id: string;
  hasSaidHello: boolean;
}

/** The least an event about an agent has to know of it. */
type Known = Pick<AgentDocument, '_id' | 'orgId'>;

/** Who of the agents is there: every change is one compare-and-set, and whoever made it tells of it once. */
@Injectable()
export class PresenceService {
  private readonly httpBeatMs: number;
  private readonly linkBeatMs: number;
  private readonly beats: number;
  private readonly graceMs: number;

  constructor(
    private readonly agents: PresenceRepository,
    private readonly events: AgentEvents,
    private readonly metrics: AgentMetrics,
    { env }: Config,
  ) {
    this.httpBeatMs = env.AGENT_BEAT_SECONDS * 1000;
    this.linkBeatMs = env.HEARTBEAT_MS;
    this.beats = env.OFFLINE_AFTER_BEATS;
    this.graceMs = env.RECONNECT_GRACE_MS;
  }

  /** Seconds between two beats of an agent without a socket. */
  get nextHeartbeat(): number {
    return this.httpBeatMs / 1000;
  }

  /** For the update of an accepted connect. Whether a socket follows is not known yet, so it may take its time. */
  signOfLife(now: Date): SignOfLife {
    return { online: true, ...this.until('http', now) };
  }

  /** Tells of an agent that was offline until this. */
  cameOnline({ _id: agentId, orgId }: Known, reason: PresenceReason): void {
    this.events.record(orgScope(orgId), { agentId, type: 'online', reason });
  }

  /**
   * A beat: one update. Metrics that cannot be stored are dropped, the beat is not. After a goodbye only a connect makes
   * an agent online again. Throws 404 agent_not_found, and 409 agent_superseded for a link of an older incarnation.
   */
  async heartbeat(
    scope: OrgScope,
    agentId: string,
    beat: HeartbeatRequest,
    channel: BeatChannel,
  ): Promise<{ configVersion: string; status: AgentDocument['status'] }> {
    const now = new Date();
    const metrics = HeartbeatRequest.shape.metrics.safeParse(beat.metrics).data ?? {};
    const heartbeat = { status: beat.status, metrics };
    const incarnation = channel.via === 'link' ? channel.incarnation : undefined;
    const alive = { heartbeat, lastHeartbeatAt: now, ...this.until(channel.via, now) };
    const before = await this.agents.recordHeartbeat(scope, agentId, alive, incarnation);
    if (before === undefined) {
      const exists = incarnation !== undefined && (await this.agents.has(scope, agentId));
      throw exists ? new ReinsError('agent_superseded') : agentNotFound(agentId);
    }
    if (!before.online && before.connectedAt !== null && (await this.agents.markOnline(scope, agentId))) {
      this.events.record(scope, { agentId, type: 'online', reason: 'heartbeat' });
    }
    this.metrics.sample(scope, agentId, heartbeat, now);
    return before;
  }

  /** A socket of the agent's incarnation was let in. Costs nothing where the connect before it has said it all. */
  async socketOpened(scope: OrgScope, agent: AgentDocument): Promise<void> {
    const now = new Date();
    const enough = now.getTime() + this.linkBeatMs * this.beats;
    const lasts = agent.aliveUntil !== null && agent.aliveUntil.getTime() >= enough;
    if (agent.online && lasts && agent.socketClosedAt === undefined && agent.connectedAt !== null) return;
    const wasOnline = await this.agents.markSocketOpened(scope, agent._id, agent.incarnation, {
      online: true,
      connectedAt: agent.connectedAt ?? now,
      ...this.until('link', now),
    });
    if (wasOnline === false) this.cameOnline(agent, 'socket_opened');
  }

  /**
   * The socket of this incarnation is gone. One that said it was leaving is offline at once; any other has a grace to
   * come back, so that a flapping connection is no news.
   */
  async socketClosed(scope: OrgScope, agentId: string, link: HeldLink, isLeaving: boolean): Promise<void> {
    if (isLeaving) return this.gone(scope, agentId, heldBy(link));
    const now = Date.now();
    await this.agents.markSocketClosed(scope, agentId, heldBy(link), new Date(now), new Date(now + this.graceMs));
  }

  /** The agent said hello on this connection: it is the one that counts, at whichever controller it is. */
  attached(scope: OrgScope, agentId: string, connectionId: string): Promise<void> {
    return this.agents.attach(scope, agentId, connectionId);
  }

  /** The connection the agent said hello on last. */
  connectionOf(scope: OrgScope, agentId: string): Promise<string | undefined> {
    return this.agents.connectionOf(scope, agentId);
  }

  /** A goodbye. With an incarnation only if it is still the agent's: a late one of an older process ends nothing. */
  async disconnected(scope: OrgScope, agentId: string, incarnation?: string): Promise<void> {
    await this.gone(scope, agentId, incarnation === undefined ? {} : { incarnation });
  }

  private async gone(scope: OrgScope, agentId: string, expected: HeldAs): Promise<void> {
    const before = await this.agents.markGone(scope, agentId, expected);
    if (before?.online === true) this.events.record(scope, { agentId, type: 'offline', reason: 'disconnected' });
  }

  /** An agent whose tokens ended: whoever connected until then is not there any more. */
  async revoked(scope: OrgScope, agentId: string, at: Date): Promise<void> {
    const before = await this.agents.markGone(scope, agentId, { lastConnectedAt: { $lte: at } });
    if (before?.online !== true) return;
    const reason = before.isDeleted ? 'deleted' : before.status === 'suspended' ? 'suspended' : 'revoked';
    this.events.record(scope, { agentId, type: 'offline', reason });
  }

  /** An agent that does not exist any more, because its session is over. */
  ended(scope: OrgScope, agent: AgentDocument): void {
    if (agent.online) this.events.record(scope, { agentId: agent._id, type: 'offline', reason: 'ended' });
  }

  /** Another process took over while the one before it still counted as online. */
  superseded(before: AgentDocument, by: string, isConflict: boolean): void {
    const agentId = before._id;
    const scope = orgScope(before.orgId);
    const details = { incarnation: before.incarnation, by };
    if (before.incarnation !== undefined && before.online) {
      this.events.record(scope, { agentId, type: 'superseded', details });
    }
    if (isConflict) this.events.record(scope, { agentId, type: 'conflict', details: { incarnation: by } });
  }

  /** Marks those offline who were not heard of in time; whether there may be more. Of two controllers each has its own. */
  async markSilent(now: Date, limit: number): Promise<boolean> {
    const overdue = await this.agents.silent(now, limit);
    if (overdue.length === 0) return false;
    const silent = await this.agents.markSilent(overdue, now);
    for (const { _id: agentId, orgId, socketClosedAt } of silent) {
      const reason = socketClosedAt === undefined ? 'missed_beats' : 'socket_closed';
      this.events.record(orgScope(orgId), { agentId, type: 'offline', reason });
    }
    return silent.length === limit;
  }

  /** After a time in which nobody listened: gives everyone who seemed alive the time to say so again. */
  async listenAgain(now: Date): Promise<void> {
    const soon = new Date(now.getTime() + this.graceMs);
    await this.agents.extendAlive(soon, now, this.beats);
  }

  countOnline(): Promise<number> {
    return this.agents.countOnline();
  }

  private until(via: BeatChannel['via'], now: Date): Pick<AgentDocument, 'beatEveryMs' | 'aliveUntil'> {
    const beatEveryMs = via === 'link' ? this.linkBeatMs : this.httpBeatMs;
    return { beatEveryMs, aliveUntil: new Date(now.getTime() + beatEveryMs * this.beats) };
  }
}

/** Holds for the incarnation, unless it has said hello on another connection since. */
function heldBy({ incarnation, id, hasSaidHello }: HeldLink): HeldAs {
  return { incarnation, ...(hasSaidHello && { connectionId: id }) };
}
