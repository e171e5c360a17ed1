import { z } from 'zod';
import { AGENT_ROLES } from './agents';
import { Name } from './common';
import { storedJson } from './stored-json';

/** Enrollment tokens start with this, so that people and secret scanners recognise one. */
export const ENROLLMENT_TOKEN_PREFIX = 're_';

/** What a name template may contain between braces. */
export const NAME_PLACEHOLDERS = ['host', 'n'] as const;

const DAY_SECONDS = 86_400;
const MAX_LABELS = 32;

/** Line ends that are no control characters; a name with one could not stand in a `.env`. */
const fitsOnALine = (text: string): boolean => !/[\p{Cc}\u2028\u2029]/u.test(text);
const LINE = 'must not contain line breaks or control characters';

const reference = z.string().max(64);

/** Key and value pairs that say what a harness is, for example `{zone: 'eu-1', gpu: 'none'}`. */
export const Labels = z
  .record(
    z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/, 'must be 1 to 63 of letters, digits, . _ / -'),
    z.string().max(200, 'must have at most 200 characters').refine(fitsOnALine, LINE),
  )
  .refine((labels) => Object.keys(labels).length <= MAX_LABELS, `must have at most ${MAX_LABELS} labels`);
export type Labels = z.infer<typeof Labels>;

const NameTemplate = Name.refine(
  (template) =>
    [...template.matchAll(/\{([^}]*)\}/g)].every(([, name]) => NAME_PLACEHOLDERS.some((known) => known === name)),
  'may contain {host} and {n} only',
);

export const CreateEnrollmentToken = z.object({
  name: Name,
  /** Given to every agent it makes; for the same key they win over what the harness says of itself. */
  labels: Labels.default({}),
  role: z.enum(AGENT_ROLES).default('organization.viewer'),
  instructionId: reference.optional(),
  allowedToolIds: z.array(reference).max(200).default([]),
  settings: storedJson({ maxDepth: 16, maxBytes: 64 * 1024 }).default({}),
  tags: z.array(z.string().max(100)).max(50).default([]),
  /** The name of an agent that brings none: `{host}` is its machine, `{n}` counts the token's uses from 1. */
  nameTemplate: NameTemplate.default('{host}-{n}'),
  expiresInSeconds: z
    .number()
    .int()
    .min(1)
    .max(365 * DAY_SECONDS)
    .default(DAY_SECONDS),
  maxUses: z.number().int().min(1).max(10_000).default(1),
});
export type CreateEnrollmentToken = z.infer<typeof CreateEnrollmentToken>;

/** A token without its value: `prefix` are its first characters, to tell tokens apart. */
export interface EnrollmentTokenView {
  id: string;
  name: string;
  prefix: string;
  labels: Labels;
  role: string;
  instructionId: string | null;
  allowedToolIds: string[];
  /** Tokens in it are masked. */
  settings: Record<string, unknown>;
  tags: string[];
  nameTemplate: string;
  maxUses: number;
  uses: number;
  createdBy: string;
  createdAt: string;
  expiresAt: string;
  lastUsedAt: string | null;
  revokedAt: string | null;
}

export interface CreatedEnrollmentToken extends EnrollmentTokenView {
  /** Shown this once, stored only as a hash. */
  token: string;
}

export interface EnrollmentTokenDetail extends EnrollmentTokenView {
  /** Agents it made that still exist; the token's own page of them is at `…/agents`. */
  agents: { total: number; suspended: number };
}

/** `?agents=`: what becomes of the agents that the token made. */
export const RevokeEnrollmentToken = z.object({ agents: z.enum(['keep', 'suspend', 'delete']).default('keep') });
export type RevokeEnrollmentToken = z.infer<typeof RevokeEnrollmentToken>;

export const EnrollRequest = z.object({
  token: z.string().min(1, 'must not be empty').max(512),
  /**
   * Random, kept by the harness before it asks. Asking again with the same token and key, because the answer was lost,
   * gives the same agent a new secret instead of making another agent.
   */
  enrollmentKey: z
    .string()
    .regex(/^[A-Za-z0-9_-]{22,128}$/, 'must be 22 to 128 of letters, digits, _ -')
    .optional(),
  name: Name.optional(),
  host: z.string().max(253).refine(fitsOnALine, LINE).optional(),
  labels: Labels.default({}),
  supportedTypes: z.array(z.string().max(64)).max(64).optional(),
  capacity: z.number().int().min(0).max(10_000).optional(),
  harness: z
    .object({ version: z.string().max(64), protocol: z.tuple([z.number().int(), z.number().int()]) })
    .optional(),
});
export type EnrollRequest = z.infer<typeof EnrollRequest>;
/** As a harness writes it. */
export type EnrollBody = z.input<typeof EnrollRequest>;

export const EnrollResponse = z.object({
  agentId: z.string(),
  /** Shown this once, stored only as a hash. */
  secret: z.string(),
  orgId: z.string(),
  name: z.string(),
  /** Where the controller says it can be reached. */
  baseUrl: z.string(),
});
export type EnrollResponse = z.infer<typeof EnrollResponse>;

/** Of the agent that rotates. A request without a body counts as an empty one. */
export const RotateRequest = z
  .object({
    /** The secret the agent holds. It is the one that stays valid for the overlap, also where an earlier answer was lost. */
    secret: z.string().min(1).max(512).optional(),
  })
  .prefault({});
export type RotateRequest = z.infer<typeof RotateRequest>;

/** Answer to the agent. */
export const RotateResponse = z.object({
  secret: z.string(),
  /** Until then the secret before it works too. */
  previousValidUntil: z.string(),
});
export type RotateResponse = z.infer<typeof RotateResponse>;

/** Answer to an administrator: the agent is asked to fetch itself a new secret. */
export interface RotationRequested {
  rotationRequestedAt: string;
}
