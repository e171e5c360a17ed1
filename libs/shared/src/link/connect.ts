import { z } from 'zod';

/** Body of `POST /agents/:id/connect`. Only `secret` is required, so that an AIWM client works as it is. */
export const ConnectRequest = z.object({
  secret: z.string().min(1, 'must not be empty').max(512),
  /** One per process start; the newest accepted connect of an agent wins. */
  incarnation: z.string().min(1).max(128).optional(),
  host: z.string().max(256).optional(),
  harness: z
    .object({ version: z.string().max(64), protocol: z.tuple([z.number().int(), z.number().int()]) })
    .optional(),
  /** cliTypes this harness has a driver for. */
  supportedTypes: z.array(z.string().max(64)).max(64).optional(),
  /** Sessions it can serve at the same time. */
  capacity: z.number().int().min(0).max(10_000).optional(),
});
export type ConnectRequest = z.infer<typeof ConnectRequest>;

export const RepositoryRef = z.object({ url: z.string(), branch: z.string() });
export type RepositoryRef = z.infer<typeof RepositoryRef>;

export const SessionLimits = z.object({
  /** Wall time of one turn unless the prompt names its own. */
  turnTimeoutMs: z.number().int(),
  /** Silence of the agent after which the turn counts as stalled. */
  turnIdleMs: z.number().int(),
  /** For agents that run code themselves (javascript): CPU and wall time of one turn, memory of the process. */
  cpuMs: z.number().int(),
  wallMs: z.number().int(),
  memoryBytes: z.number().int(),
});
export type SessionLimits = z.infer<typeof SessionLimits>;

/** A package of files for the workspace; its url takes the agent's token. */
export const SkillRef = z.object({
  id: z.string(),
  name: z.string(),
  version: z.string(),
  targetPath: z.string(),
  sha256: z.string(),
  sizeBytes: z.number(),
  url: z.string(),
});
export type SkillRef = z.infer<typeof SkillRef>;

export const McpServers = z.record(
  z.string(),
  z.object({ type: z.string(), url: z.string(), headers: z.record(z.string(), z.string()).optional() }),
);
export type McpServers = z.infer<typeof McpServers>;

/** What a harness needs to serve one session. */
export const SessionDescriptor = z.object({
  id: z.string(),
  workerId: z.string(),
  cliType: z.string(),
  modelConfig: z
    .object({
      provider: z.string().optional(),
      model: z.string().optional(),
      temperature: z.number().optional(),
      maxTokens: z.number().optional(),
    })
    .nullable(),
  repository: RepositoryRef.nullable(),
  workerRepo: RepositoryRef.nullable(),
  /** The CLI's own conversation id of each lane, so that a new harness carries the conversation on. */
  resume: z.object({ lanes: z.record(z.string(), z.string()) }).nullable(),
  limits: SessionLimits,
  /**
   * What the session's worker defines, for an agent that serves sessions of several workers: it goes by these in place
   * of its own. Left out for an agent made for the session, whose connect answer says the same.
   */
  instruction: z.string().optional(),
  /** In place of an instruction above 64 KiB, which is fetched here with the agent's token. */
  instructionUrl: z.string().optional(),
  mcpServers: McpServers.optional(),
  skills: z.array(SkillRef).optional(),
});
export type SessionDescriptor = z.infer<typeof SessionDescriptor>;

export const LinkAddress = z.object({
  url: z.string(),
  namespace: z.string(),
  protocol: z.number(),
  heartbeatMs: z.number(),
  leaseMs: z.number(),
});
export type LinkAddress = z.infer<typeof LinkAddress>;

/** Answer of connect, and without the token fields of `GET /agents/:id/config`. */
export const ConnectResponse = z.object({
  token: z.string(),
  accessToken: z.string(),
  /** Seconds. */
  expiresIn: z.number(),
  tokenType: z.literal('bearer'),
  refreshToken: z.null(),
  refreshExpiresIn: z.literal(0),
  /** System prompt and numbered guidelines as one text. */
  instruction: z.string(),
  instructionDetail: z.object({ id: z.string(), systemPrompt: z.string(), guidelines: z.array(z.string()) }),
  tools: z.array(z.record(z.string(), z.unknown())),
  agent: z.object({
    id: z.string(),
    name: z.string(),
    orgId: z.string(),
    /** A label for agents that have guardrails of their own: Reins has none and enforces none. */
    guardrailId: z.string().optional(),
  }),
  settings: z.record(z.string(), z.unknown()),
  skills: z.array(SkillRef),
  mcpServers: McpServers,
  /** The one session of a managed agent; null for an autonomous one, which is given sessions by `bind`. */
  session: SessionDescriptor.nullable(),
  link: LinkAddress,
  /** There while an administrator waits for the agent to fetch itself a new secret. */
  credentials: z.object({ rotationRequestedAt: z.string() }).optional(),
  /** Changes whenever an admin edit changes any of the above. */
  configVersion: z.string(),
});
export type ConnectResponse = z.infer<typeof ConnectResponse>;
