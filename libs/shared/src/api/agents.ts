import { z } from 'zod';
import { HARNESS_STATUSES } from '../link/frames';
import { Name } from './common';
import { type InstructionView } from './instructions';
import { storedJson } from './stored-json';

export const AGENT_STATUSES = ['active', 'inactive', 'busy', 'suspended'] as const;
export type AgentStatus = (typeof AGENT_STATUSES)[number];

export const AGENT_TYPES = ['managed', 'autonomous'] as const;
export type AgentType = (typeof AGENT_TYPES)[number];

export const AGENT_ROLES = ['organization.owner', 'organization.editor', 'organization.viewer'] as const;

/** bcrypt reads 72 bytes and ignores the rest, so a longer secret would not be what it seems. */
const secret = z
  .string()
  .min(16, 'must have at least 16 characters')
  .refine((value) => Buffer.byteLength(value) <= 72, 'must have at most 72 bytes')
  .refine((value) => !/\p{Cc}/u.test(value), 'must not contain control characters');

/** The id of another document; null and an empty text are none. */
const reference = z.string().max(64);
const optionalReference = reference.nullable().optional();

/** Settings reach the agent by its connect answer; room for a generous configuration, not for files. */
const settings = storedJson({ maxDepth: 16, maxBytes: 64 * 1024 });
const metrics = storedJson({ maxDepth: 8, maxBytes: 16 * 1024 });

/** The keys and values a placement compares. */
const labels = z
  .record(z.string().min(1).max(100), z.string().max(200))
  .refine((given) => Object.keys(given).length <= 50, 'must have at most 50 labels');

export const CreateAgent = z.object({
  name: Name,
  description: z.string().max(500),
  status: z.enum(AGENT_STATUSES),
  type: z.enum(AGENT_TYPES).default('managed'),
  instructionId: optionalReference,
  /** A label handed to the agent. Reins has no guardrails: nothing is enforced by it. */
  guardrailId: optionalReference,
  nodeId: optionalReference,
  tags: z.array(z.string().max(100)).max(50).default([]),
  /** Autonomous agents only; without it credentials come from regenerate. */
  secret: secret.optional(),
  allowedToolIds: z.array(reference).max(200).default([]),
  settings: settings.default({}),
  /** What the agent's token says of it. `settings.auth_roles` is kept for clients that read it and grants nothing. */
  role: z.enum(AGENT_ROLES).default('organization.viewer'),
  /** Autonomous agents as hosts of sessions: what a placement may ask for, and whether they get new sessions. */
  labels: labels.default({}),
  acceptsSessions: z.boolean().default(true),
});
export type CreateAgent = z.infer<typeof CreateAgent>;

export const UpdateAgent = z
  .object({
    name: Name,
    description: z.string().max(500),
    status: z.enum(AGENT_STATUSES),
    type: z.enum(AGENT_TYPES),
    instructionId: optionalReference,
    guardrailId: optionalReference,
    nodeId: optionalReference,
    tags: z.array(z.string().max(100)).max(50),
    allowedToolIds: z.array(reference).max(200),
    /** A JSON Merge Patch (RFC 7396): keys that are absent stay, null takes a key away, lists are replaced. */
    settings,
    role: z.enum(AGENT_ROLES),
    labels,
    acceptsSessions: z.boolean(),
  })
  .partial();
export type UpdateAgent = z.infer<typeof UpdateAgent>;

/** An agent as AIWM writes it: `_id`, never the secret, tokens in settings masked. */
export interface AgentView {
  _id: string;
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
  owner: { orgId: string; userId: string };
  createdBy: string;
  updatedBy: string;
  /** The session a managed agent was minted for. */
  sessionId?: string;
  labels: Record<string, string>;
  /** Whether it is given new sessions; those it has go on either way. */
  acceptsSessions: boolean;
  /** Sessions it serves now. */
  boundSessions: string[];
  /** What its harness said when it connected last: kinds of agent it can run, sessions it takes at once. */
  supportedTypes: string[] | null;
  capacity: number | null;
  /** The enrollment token with which it registered itself. */
  enrollmentId?: string;
  /** Since when it is asked to fetch itself a new secret; null once it has. */
  rotationRequestedAt: string | null;
  /** Whether it is online: see `GET /agents/:id/events` for since when and why. */
  connected: boolean;
  /** `conflict`: several harnesses seem to run as this agent, each superseding the other. */
  warnings: 'conflict'[];
  /** Connections, not token refreshes. */
  connectionCount: number;
  lastConnectedAt: string | null;
  lastHeartbeatAt: string | null;
  /** What the last heartbeat said. */
  heartbeat: { status: string; metrics: Record<string, unknown> } | null;
  configVersion: string;
  createdAt: string;
  updatedAt: string;
}

/** With `?populate=instruction`: the instruction in place of its id, null where it is gone. */
export type PopulatedAgentView = Omit<AgentView, 'instructionId'> & { instructionId?: InstructionView | null };

/** `GET /agents`: AIWM's page. `statistics` count all agents of the organisation, whatever the filter. */
export interface AgentPage<V = AgentView> {
  data: V[];
  pagination: { page: number; limit: number; total: number; totalPages: number };
  statistics: { total: number; byStatus: Record<string, number>; byType: Record<string, number> };
}

export const HeartbeatRequest = z.object({
  status: z.enum(HARNESS_STATUSES),
  metrics: metrics.optional(),
});
export type HeartbeatRequest = z.infer<typeof HeartbeatRequest>;

/** A request without a body counts as an empty one. */
export const DisconnectRequest = z.object({ reason: z.string().max(500).optional() }).prefault({});
export type DisconnectRequest = z.infer<typeof DisconnectRequest>;

export const RegenerateRequest = z
  .object({
    /** How long the old secret goes on working. 0: it and the tokens made with it end at once. */
    overlapSeconds: z
      .number()
      .int()
      .min(0)
      .max(7 * 86_400)
      .default(0),
  })
  .prefault({});
export type RegenerateRequest = z.infer<typeof RegenerateRequest>;

export interface RegenerateResponse {
  agentId: string;
  /** Shown this once, stored only as a hash. */
  secret: string;
  envConfig: string;
  installScript: string;
}
