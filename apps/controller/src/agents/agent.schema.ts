import { type AgentStatus, type AgentType } from '@reins/shared/api/agents';
import { Schema } from 'mongoose';
import { type TenantDocument } from '../database/tenant.repository';

/** What a harness told about itself when it connected. */
export interface HarnessFacts {
  host?: string;
  version?: string;
  supportedTypes?: string[];
  capacity?: number;
}

export interface AgentDocument extends TenantDocument {
  name: string;
  description: string;
  status: AgentStatus;
  type: AgentType;
  role: string;
  instructionId?: string;
  guardrailId?: string;
  nodeId?: string;
  tags: string[];
  allowedToolIds: string[];
  settings: Record<string, unknown>;

  /** See secrets.ts for its forms. Absent: nobody can connect as this agent yet. */
  secretHash?: string;
  /** The secret before the last regenerate, valid until then. */
  previousSecretHash?: string;
  previousSecretUntil?: Date;
  /** Tokens with another version are refused. */
  tokenVersion: number;

  /**
   * A keyed digest of a secret that is known to be right, so that proving it again costs no bcrypt, whichever controller
   * is asked. Bound to the hash it was checked against.
   */
  secretProof?: string;
  /** The same of `previousSecretHash`. */
  previousSecretProof?: string;
  /** Set when an administrator wants the harness to fetch itself a new secret; cleared when it has. */
  rotationRequestedAt?: Date;

  /** Managed agents: the one session they were minted for. */
  sessionId?: string;

  /** Set by self-registration: the enrollment token it came with, and what the harness says it is. */
  enrollmentId?: string;
  /** Digest of the harness's own key: the same harness asking again is known by it. */
  enrollmentKey?: string;
  labels: Record<string, string>;

  /** Autonomous agents as hosts: whether new sessions may be given to them, and those they have. */
  acceptsSessions: boolean;
  boundSessions: string[];

  /** The process that speaks for the agent now, and those that must not come back. */
  incarnation?: string;
  /** Whether a connect since named no incarnation, so that the next socket may bring an unknown one. */
  incarnationOpen: boolean;
  supersededIncarnations: { incarnation: string; at: Date }[];
  harness?: HarnessFacts;
  /** The connection its harness said hello on last. */
  connectionId?: string;
  /** Whether it counts as connected, as the last change of presence said. */
  online: boolean;
  /** How often it says it beats; three missed beats make it offline. */
  beatEveryMs: number;
  /** Until when it counts as online without another sign of life; means nothing while it is offline. */
  aliveUntil: Date | null;
  /** Since when its socket is gone; unset by the next sign of life. */
  socketClosedAt?: Date;
  /** Names the look that last found it silent, so that its looker recognises it. */
  offlineMark?: string;
  /** When several harnesses last seemed to run as this agent. */
  conflictAt?: Date;
  /** Null after a goodbye, which only a connect takes back; `lastConnectedAt` stays. */
  connectedAt: Date | null;
  lastConnectedAt: Date | null;
  /** Names the last accepted connect, so that its writer recognises it. */
  connectMark?: string;
  lastHeartbeatAt: Date | null;
  heartbeat: { status: string; metrics: Record<string, unknown> } | null;
  connectionCount: number;

  /** Of the connect answer as it was computed last. */
  configVersion: string;

  isDeleted: boolean;
  deletedAt: Date | null;
  userId: string;
  createdBy: string;
  updatedBy: string;
  createdAt: Date;
  updatedAt: Date;
}

export const AGENT = 'Agent';

const mixed = { type: Schema.Types.Mixed };

export const agentSchema = new Schema<AgentDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    name: { type: String, required: true },
    description: { type: String, default: '' },
    status: { type: String, required: true },
    type: { type: String, required: true },
    role: { type: String, required: true },
    instructionId: String,
    guardrailId: String,
    nodeId: String,
    tags: [String],
    allowedToolIds: [String],
    settings: { ...mixed, default: {} },
    secretHash: String,
    previousSecretHash: String,
    previousSecretUntil: Date,
    tokenVersion: { type: Number, required: true },
    secretProof: String,
    previousSecretProof: String,
    rotationRequestedAt: Date,
    sessionId: String,
    enrollmentId: String,
    enrollmentKey: String,
    labels: { ...mixed, default: {} },
    acceptsSessions: { type: Boolean, default: true },
    boundSessions: { type: [String], default: [] },
    connectionId: String,
    online: { type: Boolean, default: false },
    beatEveryMs: { type: Number, default: 60_000 },
    aliveUntil: { type: Date, default: null },
    socketClosedAt: Date,
    offlineMark: String,
    conflictAt: Date,
    incarnation: String,
    incarnationOpen: { type: Boolean, default: false },
    supersededIncarnations: { type: [{ _id: false, incarnation: String, at: Date }], default: [] },
    harness: mixed,
    connectedAt: { type: Date, default: null },
    lastConnectedAt: { type: Date, default: null },
    connectMark: String,
    lastHeartbeatAt: { type: Date, default: null },
    heartbeat: { ...mixed, default: null },
    connectionCount: { type: Number, default: 0 },
    configVersion: { type: String, default: '' },
    isDeleted: { type: Boolean, default: false },
    deletedAt: { type: Date, default: null },
    userId: { type: String, required: true },
    createdBy: { type: String, required: true },
    updatedBy: { type: String, required: true },
    createdAt: { type: Date, required: true },
    updatedAt: { type: Date, required: true },
  },
  { versionKey: false, minimize: false, collection: 'agents' },
);

// Connect, heartbeat and the check of a token go by `_id`, which needs no further index.
// Serves the list (newest first) and its statistics.
agentSchema.index({ orgId: 1, isDeleted: 1, _id: -1 });
// Serves the list filtered by status.
agentSchema.index({ orgId: 1, isDeleted: 1, status: 1, _id: -1 });
// Serves the watch for agents that went silent, and their number.
agentSchema.index({ online: 1, aliveUntil: 1 });
// Serves the agents of one enrollment token.
agentSchema.index(
  { orgId: 1, enrollmentId: 1, _id: -1 },
  { partialFilterExpression: { enrollmentId: { $exists: true } } },
);
// Serves the enrollment that is asked for again, and keeps one enrollment key from making two agents.
agentSchema.index(
  { enrollmentId: 1, enrollmentKey: 1 },
  { unique: true, partialFilterExpression: { enrollmentKey: { $exists: true } } },
);
// Serve the question which agents would miss an instruction, a tool (of any organisation) or a node.
agentSchema.index({ instructionId: 1, orgId: 1 }, { sparse: true });
agentSchema.index({ allowedToolIds: 1, orgId: 1 });
agentSchema.index({ nodeId: 1, orgId: 1 }, { sparse: true });
// Serves the choice of a host for a session.
agentSchema.index({ orgId: 1, type: 1, online: 1, 'harness.supportedTypes': 1 });
// Serves giving a session's place back, and the repair of places that were not.
agentSchema.index({ boundSessions: 1 });
// Serve an edit of an instruction or a tool, which finds the agents made from it.
agentSchema.index({ instructionId: 1, _id: 1 }, { partialFilterExpression: { instructionId: { $exists: true } } });
agentSchema.index({ allowedToolIds: 1, _id: 1 });
// Serves the sweep over agents edited while no controller saw it through.
agentSchema.index({ updatedAt: 1 });
