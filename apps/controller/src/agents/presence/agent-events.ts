import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import {
  type AgentEventPage,
  type AgentEventsQuery,
  type AgentEventType,
  type AgentEventView,
  type PresenceReason,
} from '@reins/shared/api/agent-presence';
import { newId } from '@reins/shared/ids';
import { type OrgScope } from '../../access/principal';
import { Background } from '../../bus/background';
import { Bus } from '../../bus/bus';
import { Config } from '../../config/config';
import { type AgentEventDocument } from './agent-events.schema';
import { AgentEventsRepository } from './agent-events.repository';
import { WriteBuffer } from './write-buffer';

/** Kept while the database is away. */
const MAX_WAITING = 50_000;
const DAY_MS = 86_400_000;

export interface NewAgentEvent {
  agentId: string;
  type: AgentEventType;
  reason?: PresenceReason;
  details?: Record<string, unknown>;
}

/** What happened to agents' presence: kept for a while, shown to those who follow it once it is durable. */
@Injectable()
export class AgentEvents implements BeforeApplicationShutdown {
  private readonly logger = new Logger('AgentEvents');
  private readonly buffer = new WriteBuffer<AgentEventDocument>((events) => this.store(events), MAX_WAITING);
  private readonly keepMs: number;
  private lastMs = 0;

  constructor(
    private readonly events: AgentEventsRepository,
    private readonly bus: Bus,
    private readonly background: Background,
    { env }: Config,
  ) {
    this.keepMs = env.AGENT_EVENTS_RETENTION_DAYS * DAY_MS;
  }

  /** Does not wait for the database: nobody's connect is slower for it. */
  record({ orgId }: OrgScope, { agentId, type, reason, details = {} }: NewAgentEvent): void {
    const now = Date.now();
    // Ids of one process rise even within a millisecond, so that a reader's cursor passes none of them.
    this.lastMs = Math.max(now, this.lastMs + 1);
    const event: AgentEventDocument = {
      _id: newId('agentEvent', this.lastMs),
      orgId,
      agentId,
      type,
      reason: reason ?? null,
      at: new Date(now),
      details,
      expiresAt: new Date(now + this.keepMs),
    };
    if (!this.buffer.push(event)) this.logger.error('the oldest events of agents are lost: none could be stored');
    this.logger.log({ orgId, agentId, type, reason, ...details }, 'agent.presence');
    this.background.start('storing events of agents', () => this.buffer.flush());
  }

  /** Writes what an earlier write left. */
  flush(): Promise<void> {
    return this.buffer.flush();
  }

  async page(scope: OrgScope, agentId: string, { limit, cursor }: AgentEventsQuery): Promise<AgentEventPage> {
    const found = await this.events.ofAgent(scope, agentId, cursor, limit + 1);
    const items = found.slice(0, limit).map(toAgentEventView);
    return { items, nextCursor: found.length > limit ? (items[items.length - 1]?.id ?? null) : null };
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.buffer
      .flush()
      .catch((error: unknown) => this.logger.warn({ err: error }, 'events of agents could not be stored'));
  }

  private async store(events: AgentEventDocument[]): Promise<void> {
    await this.events.insertAll(events);
    for (const orgId of new Set(events.map((event) => event.orgId))) this.bus.publish('agent.presence', { orgId });
  }
}

export function toAgentEventView({ _id, agentId, type, reason, at, details }: AgentEventDocument): AgentEventView {
  return { id: _id, agentId, type, reason, at: at.toISOString(), details };
}
