import { z } from 'zod';
import { type OperationState, type OperationType, type SessionState, type TurnState } from '../state';
import { type RawOutput } from '../link/events';
import { BranchName, Slug } from './common';
import { type LauncherName, Placement, SelectionMode } from './placement';

const breadcrumbs = z.array(z.string().max(500)).max(100);

export const SessionSettings = z.object({
  /** What becomes of a turn whose harness was lost. */
  onInterrupt: z.enum(['hold', 'resume', 'restart']).optional(),
  /** Silence after which a turn counts as stalled. */
  turnIdleMs: z.number().int().min(1000).optional(),
  limits: z
    .object({
      cpuMs: z.number().int().min(10).max(3_600_000),
      wallMs: z.number().int().min(10).max(3_600_000),
      memoryBytes: z
        .number()
        .int()
        .min(16 * 1024 * 1024),
    })
    .partial()
    .optional(),
});
export type SessionSettings = z.infer<typeof SessionSettings>;

export const CreateSession = z.object({
  workerId: z.string().min(1).max(64),
  repository: z.object({ url: z.string().min(1).max(2000), branch: BranchName.default('main') }).optional(),
  breadcrumbs: breadcrumbs.optional(),
  /** Runs the session on this autonomous agent instead of starting a harness for it. */
  agentId: z.string().max(64).optional(),
  /** Runs it on one of the connected autonomous agents, chosen like this. */
  placement: Placement.optional(),
  /** Short for a placement by this mode alone. */
  selectionMode: SelectionMode.optional(),
  settings: SessionSettings.optional(),
});
export type CreateSession = z.infer<typeof CreateSession>;

/** How far a harness for the session has come; null where none is wanted. */
export const SESSION_PHASES = ['provisioning', 'connecting', 'bootstrapping', 'ready', 'reconnecting', 'lost'] as const;
export type SessionPhase = (typeof SESSION_PHASES)[number];

export interface SessionView {
  id: string;
  workerId: string;
  /** The agent whose harness serves it; null while a host is looked for. */
  agentId: string | null;
  launcher: LauncherName;
  /** How its host is chosen; null where it was named, or where a harness is started for it. */
  placement: Placement | null;
  status: SessionState;
  phase: SessionPhase | null;
  /** Why the session is failed, was suspended or still waits for a host, in words and as a code. */
  statusReason: { code: string; message: string; at: string } | null;
  repository: { url: string; branch: string } | null;
  breadcrumbs: string[];
  createdAt: string;
  lastActivityAt: string | null;
  expiresAt: string;
  endedAt: string | null;
}

export const PromptRequest = z.object({
  prompt: z
    .string()
    .min(1, 'must not be empty')
    .max(1024 * 1024, 'must have at most 1048576 characters'),
  /** Names a parallel conversation of the session; without it the prompt goes to the main one. */
  subsessionId: Slug.optional(),
  /** Seconds the agent may take; waiting in the queue does not count. */
  timeout: z.number().positive().max(86_400).optional(),
  breadcrumbs: breadcrumbs.optional(),
});
export type PromptRequest = z.infer<typeof PromptRequest>;

export interface PromptResponse {
  requestId: string;
  response: string;
  artifacts: string[];
  tokensIn: number;
  tokensOut: number;
  durationMs: number;
  raw: {
    format: string;
    content: string;
    metadata: { model: string | null; requestId: string; cliType: string };
  };
}

export const ABORT_SCOPES = ['turn', 'lane', 'session'] as const;

export const AbortRequest = z.object({
  subsessionId: Slug.optional(),
  requestId: z.string().max(64).optional(),
  /** turn: the live one, else the queued ones of the lane. lane: both. session: all lanes. */
  scope: z.enum(ABORT_SCOPES).default('turn'),
});
export type AbortRequest = z.infer<typeof AbortRequest>;

/** One row of `GET /sessions/:id/telemetry`. */
export interface TurnView {
  id: string;
  subsessionId: string | null;
  prompt: string;
  response: string;
  status: TurnState;
  stopReason: string | null;
  error: { message: string; stderrTail?: string } | null;
  attempt: number;
  tokensIn: number;
  tokensOut: number;
  costUsd: number | null;
  durationMs: number | null;
  artifacts: string[];
  breadcrumbs: string[];
  createdAt: string;
  startedAt: string | null;
  completedAt: string | null;
  /** The full answer as `/prompt` gives it, once the turn has ended. */
  result: (PromptResponse & { raw: { format: string; blobId: RawOutput['blobId'] | null } }) | null;
}

export interface SessionStats {
  totalRequests: number;
  completedRequests: number;
  failedRequests: number;
  totalTokensIn: number;
  totalTokensOut: number;
  totalDurationMs: number;
  avgDurationMs: number;
}

export interface OperationView {
  id: string;
  sessionId: string;
  type: OperationType;
  status: OperationState;
  actor: string;
  startedAt: string;
  completedAt: string | null;
  durationMs: number | null;
  error: { code: string; message: string } | null;
  steps: { name: string; at: string; message: string | null }[];
}

/** `GET /sessions/:id/events`: follow by SSE, or `follow=false` for one page. */
export const EventsQuery = z.object({
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(500),
  follow: z.enum(['true', 'false']).default('true'),
});
export type EventsQuery = z.infer<typeof EventsQuery>;
