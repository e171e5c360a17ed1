import { type NodeFacts, type NodeStatus } from '@reins/shared/api/nodes';
import { Schema } from 'mongoose';
import { AIWM_FIELDS, type AiwmDocument } from '../../common/aiwm-document';

export interface NodeDocument extends AiwmDocument {
  name: string;
  role: string[];
  isLocal: boolean;
  vpnIp?: string;
  /** As it was last said; `online` counts only as long as `aliveAt` is recent. */
  status: NodeStatus;
  /** When it was last said to be online, by itself or by an edit. */
  aliveAt: Date | null;
  websocketConnected: boolean;
  lastHeartbeat: Date | null;
  lastMetricsAt: Date | null;
  facts: NodeFacts;
  config: Record<string, unknown>;
  tokenGeneratedAt: Date | null;
  tokenExpiresAt: Date | null;
  tokenLastUsed: Date | null;
}

export const NODE = 'Node';

const date = { type: Date, default: null };
const mixed = { type: Schema.Types.Mixed, default: {} };

export const nodeSchema = new Schema<NodeDocument>(
  {
    ...AIWM_FIELDS,
    name: { type: String, required: true },
    role: [String],
    isLocal: { type: Boolean, default: false },
    vpnIp: String,
    status: { type: String, required: true },
    aliveAt: date,
    websocketConnected: { type: Boolean, default: false },
    lastHeartbeat: date,
    lastMetricsAt: date,
    facts: mixed,
    config: mixed,
    tokenGeneratedAt: date,
    tokenExpiresAt: date,
    tokenLastUsed: date,
  },
  { versionKey: false, minimize: false, collection: 'nodes' },
);

// Serves the list (newest first) and its statistics. One node is found by its `_id`.
nodeSchema.index({ orgId: 1, isDeleted: 1, createdAt: -1, _id: -1 });
