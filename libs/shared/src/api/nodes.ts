import { z } from 'zod';
import { type AiwmPage, type AiwmView } from './aiwm';
import { Name } from './common';
import { storedJson } from './stored-json';

export const NODE_STATUSES = ['pending', 'installing', 'online', 'offline', 'maintenance'] as const;
export type NodeStatus = (typeof NODE_STATUSES)[number];
export const NODE_ROLES = ['controller', 'worker', 'proxy', 'storage'] as const;

/** How often a node says it is alive. After three missed beats it is shown as offline. */
export const NODE_BEAT_SECONDS = 60;

const DAY_SECONDS = 86_400;
const text = z
  .string()
  .max(200)
  .refine((value) => !/\p{Cc}/u.test(value), 'must not contain control characters');
/** Memory and disks, in the unit the node chose; AIWM's daemon sends bytes. */
const amount = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const percent = z.number().min(0).max(100);

export const GpuDevice = z.object({
  deviceId: text,
  model: text.optional(),
  memoryTotal: amount.optional(),
  memoryFree: amount.optional(),
  utilization: percent.optional(),
  temperature: z.number().min(-273).max(1000).optional(),
});
export type GpuDevice = z.infer<typeof GpuDevice>;

/** What a node knows about its machine. */
const NodeFacts = z
  .object({
    hostname: text,
    ipAddress: text,
    os: text,
    cpuModel: text,
    cpuCores: z.number().int().min(0).max(100_000),
    cpuUsage: percent,
    ramTotal: amount,
    ramFree: amount,
    ramUsage: percent,
    diskTotal: amount,
    gpuDevices: z.array(GpuDevice).max(64),
    daemonVersion: text,
    containerRuntime: text,
    uptimeSeconds: amount,
  })
  .partial();
export type NodeFacts = z.infer<typeof NodeFacts>;

const fields = z.object({
  name: Name,
  role: z.array(z.enum(NODE_ROLES)).min(1, 'must name a role').max(NODE_ROLES.length),
  isLocal: z.boolean(),
  vpnIp: text,
});

export const CreateNode = fields.partial({ vpnIp: true }).extend({ isLocal: fields.shape.isLocal.default(false) });
export type CreateNode = z.infer<typeof CreateNode>;

export const UpdateNode = fields.partial().extend({
  ...NodeFacts.shape,
  status: z.enum(NODE_STATUSES).optional(),
  websocketConnected: z.boolean().optional(),
  lastHeartbeat: z.iso
    .datetime({ offset: true })
    .transform((at) => new Date(at))
    .optional(),
  config: storedJson({ maxDepth: 16, maxBytes: 64 * 1024 }).optional(),
});
export type UpdateNode = z.infer<typeof UpdateNode>;

/** What a node may say of itself; `maintenance` is an administrator's word and stays until he takes it back. */
export const NodeHeartbeat = z
  .object({ ...NodeFacts.shape, status: z.enum(['installing', 'online', 'offline']).default('online') })
  .prefault({});
export type NodeHeartbeat = z.infer<typeof NodeHeartbeat>;

/** A request without a body counts as an empty one. */
export const CreateNodeToken = z
  .object({
    /** Seconds. */
    expiresIn: z
      .number()
      .int()
      .min(60)
      .max(365 * DAY_SECONDS)
      .default(DAY_SECONDS),
  })
  .prefault({});
export type CreateNodeToken = z.infer<typeof CreateNodeToken>;

export interface CreatedNodeToken {
  /** For `DELETE /nodes/:id/tokens/:tokenId`. */
  id: string;
  /** Shown this once, here and in the script. */
  token: string;
  expiresAt: string;
  installScript: string;
}

/** A token without its value. */
export interface NodeTokenView {
  id: string;
  createdBy: string;
  createdAt: string;
  expiresAt: string;
  lastUsedAt: string | null;
  revokedAt: string | null;
}

export interface NodeView extends AiwmView, CreateNode, NodeFacts {
  status: NodeStatus;
  websocketConnected: boolean;
  config: Record<string, unknown>;
  lastHeartbeat: string | null;
  lastSeenAt: string | null;
  lastMetricsAt: string | null;
  tokenMetadata: {
    tokenGeneratedAt: string | null;
    tokenExpiresAt: string | null;
    tokenLastUsed: string | null;
  };
}

export type NodePage = AiwmPage<NodeView>;
