import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { type AgentMetricsPage, type AgentMetricsQuery } from '@reins/shared/api/agent-presence';
import { type Interval, startInterval } from '@reins/shared/util';
import { type OrgScope } from '../../access/principal';
import { Config } from '../../config/config';
import { type AgentDocument } from '../agent.schema';
import { type AgentSampleDocument, intervalOf, sampleId } from './agent-metrics.schema';
import { AgentMetricsRepository } from './agent-metrics.repository';
import { WriteBuffer } from './write-buffer';

const WRITE_EVERY_MS = 3_000;
/** Kept while the database is away: of a thousand agents, an hour. */
const MAX_WAITING = 60_000;
const HOUR_MS = 3_600_000;

/** The history of what agents' heartbeats said: one sample an interval each, written many at a time. */
@Injectable()
export class AgentMetrics implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('AgentMetrics');
  private readonly buffer = new WriteBuffer<AgentSampleDocument>((all) => this.samples.insertAll(all), MAX_WAITING);
  private readonly everyMs: number;
  private readonly keepMs: number;
  /** Agents that have a sample of the current interval. */
  private sampled = new Set<string>();
  private interval = 0;
  private loop: Interval | undefined;

  constructor(
    private readonly samples: AgentMetricsRepository,
    { env }: Config,
  ) {
    this.everyMs = env.AGENT_METRICS_EVERY_SECONDS * 1000;
    this.keepMs = env.AGENT_METRICS_RETENTION_HOURS * HOUR_MS;
  }

  onApplicationBootstrap(): void {
    if (this.everyMs === 0) return;
    this.loop = startInterval({
      everyMs: WRITE_EVERY_MS,
      run: () => this.buffer.flush(),
      onError: (error) => this.logger.warn({ err: error }, 'metrics of agents could not be stored; it is tried again'),
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop?.stop();
    await this.buffer
      .flush()
      .catch((error: unknown) => this.logger.warn({ err: error }, 'metrics of agents could not be stored'));
  }

  /** Keeps the first beat of each interval. Costs no database operation of its own. */
  sample({ orgId }: OrgScope, agentId: string, beat: NonNullable<AgentDocument['heartbeat']>, at: Date): void {
    if (this.everyMs === 0) return;
    const interval = at.getTime() - (at.getTime() % this.everyMs);
    if (interval !== this.interval) {
      this.interval = interval;
      this.sampled = new Set();
    }
    if (this.sampled.has(agentId)) return;
    this.sampled.add(agentId);
    const expiresAt = new Date(at.getTime() + this.keepMs);
    this.buffer.push({ _id: sampleId(agentId, new Date(interval)), orgId, at, ...beat, expiresAt });
  }

  async page(scope: OrgScope, agentId: string, query: AgentMetricsQuery): Promise<AgentMetricsPage> {
    const { limit } = query;
    const range = { from: timeOf(query.from), to: timeOf(query.to), before: timeOf(query.cursor) };
    const found = await this.samples.ofAgent(scope, agentId, range, limit + 1);
    const page = found.slice(0, limit);
    const last = page[page.length - 1];
    return {
      items: page.map(({ at, status, metrics }) => ({ at: at.toISOString(), status, metrics })),
      nextCursor: found.length > limit && last !== undefined ? intervalOf(last._id) : null,
    };
  }
}

function timeOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}
