import { type AgentEventType, type PresenceReason } from '@reins/shared/api/agent-presence';
import { Schema } from 'mongoose';
import { type TenantDocument } from '../../database/tenant.repository';

/** Something that happened to an agent's presence. */
export interface AgentEventDocument extends TenantDocument {
  agentId: string;
  type: AgentEventType;
  reason: PresenceReason | null;
  at: Date;
  details: Record<string, unknown>;
  /** When it is forgotten. */
  expiresAt: Date;
}

export const AGENT_EVENT = 'AgentEvent';

export const agentEventSchema = new Schema<AgentEventDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    agentId: { type: String, required: true },
    type: { type: String, required: true },
    reason: { type: String, default: null },
    at: { type: Date, required: true },
    details: { type: Schema.Types.Mixed, default: {} },
    expiresAt: { type: Date, required: true },
  },
  { versionKey: false, minimize: false, collection: 'agent_events' },
);

// Serves the history of one agent, newest first.
agentEventSchema.index({ orgId: 1, agentId: 1, _id: -1 });
// Serves the organisation's stream.
agentEventSchema.index({ orgId: 1, _id: 1 });
// Removes events whose time has come.
agentEventSchema.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });
