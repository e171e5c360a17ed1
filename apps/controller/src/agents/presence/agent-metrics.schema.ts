import { Schema } from 'mongoose';
import { type TenantDocument } from '../../database/tenant.repository';

/** What one heartbeat said. The id names agent and interval, so that each interval has one sample, whoever took it. */
export interface AgentSampleDocument extends TenantDocument {
  at: Date;
  status: string;
  metrics: Record<string, unknown>;
  /** When it is forgotten. */
  expiresAt: Date;
}

export const AGENT_SAMPLE = 'AgentSample';

export const agentSampleSchema = new Schema<AgentSampleDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    at: { type: Date, required: true },
    status: { type: String, required: true },
    metrics: { type: Schema.Types.Mixed, default: {} },
    expiresAt: { type: Date, required: true },
  },
  { versionKey: false, minimize: false, collection: 'agent_metrics' },
);

// A history is read as a range of ids, which needs no further index.
// Removes samples whose time has come.
agentSampleSchema.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });

/** Sorts by time among the samples of its agent. */
export function sampleId(agentId: string, interval: Date): string {
  return `${agentId}/${interval.toISOString()}`;
}

/** The interval a sample's id names. */
export function intervalOf(id: string): string {
  return id.slice(id.indexOf('/') + 1);
}
