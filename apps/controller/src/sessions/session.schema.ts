import { type CliType } from '@reins/shared/api/definitions';
import { type LauncherName, type Placement } from '@reins/shared/api/placement';
import { type SessionPhase, type SessionSettings } from '@reins/shared/api/sessions';
import { type SessionState } from '@reins/shared/state';
import { Schema } from 'mongoose';
import { type SessionPod } from '../launchers/launcher.port';
import { type TenantDocument } from '../database/tenant.repository';

/** A stateful interaction with a worker in a workspace. */
export interface SessionDocument extends TenantDocument {
  workerId: string;
  cliType: CliType;
  /** Null while a host is looked for. */
  agentId: string | null;
  /** Undefined in sessions made before there was more than the process launcher. */
  launcher?: LauncherName;
  /** How its host is chosen; null where it was named, or a harness is started. */
  placement?: Placement | null;
  /** How its pods are made; null where its launcher makes none. */
  pod?: SessionPod | null;
  /** It runs on its agent only: the caller named it, or the workspace is there. */
  pinned?: boolean;
  /** When its host was told of it; the host has a short while to say that it took it. */
  offeredAt?: Date | null;
  /** Hosts that did not take it since it was launched. */
  refusals?: { agentId: string; at: Date; message: string }[];
  status: SessionState;
  /** How far a harness has come; null where none is wanted. */
  phase: SessionPhase | null;
  statusReason: { code: string; message: string; at: Date } | null;
  /** The connection its harness said hello on last. */
  connectionId?: string | null;
  /** The start of a harness that is under way or living; null where there is none. */
  launchId: string | null;
  launchedAt: Date | null;
  /** The controller that started it, and where it did. */
  launchedBy?: { replicaId: string; place: string } | null;
  /** The controller that takes an `ending` session to its end. */
  endedBy?: string | null;
  /** Harnesses that ended on their own, one after the other. */
  crashes: number;
  repository: { url: string; branch: string } | null;
  breadcrumbs: string[];
  settings: SessionSettings;
  /** Each lane's conversation id of the CLI, so that another harness carries it on. */
  conversations: Record<string, string>;
  actor: string;
  createdAt: Date;
  lastActivityAt: Date | null;
  expiresAt: Date;
  endedAt: Date | null;
}

export const SESSION = 'Session';

const nullable = <T>(type: T) => ({ type, default: null });

export const sessionSchema = new Schema<SessionDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    workerId: { type: String, required: true },
    cliType: { type: String, required: true },
    agentId: nullable(String),
    launcher: String,
    placement: nullable(Schema.Types.Mixed),
    pod: nullable(Schema.Types.Mixed),
    pinned: { type: Boolean, default: false },
    offeredAt: nullable(Date),
    refusals: { type: [{ _id: false, agentId: String, at: Date, message: String }], default: [] },
    status: { type: String, required: true },
    phase: nullable(String),
    statusReason: nullable(Schema.Types.Mixed),
    launchId: nullable(String),
    connectionId: nullable(String),
    launchedAt: nullable(Date),
    launchedBy: nullable(Schema.Types.Mixed),
    endedBy: nullable(String),
    crashes: { type: Number, default: 0 },
    repository: nullable(Schema.Types.Mixed),
    breadcrumbs: { type: [String], default: [] },
    settings: { type: Schema.Types.Mixed, default: {} },
    conversations: { type: Schema.Types.Mixed, default: {} },
    actor: { type: String, required: true },
    createdAt: { type: Date, required: true },
    lastActivityAt: nullable(Date),
    expiresAt: { type: Date, required: true },
    endedAt: nullable(Date),
  },
  { versionKey: false, minimize: false, collection: 'sessions' },
);

// Serves the lists: sessions of an organisation, newest first, and those of one worker.
sessionSchema.index({ orgId: 1, _id: -1 });
sessionSchema.index({ orgId: 1, workerId: 1, _id: -1 });
// Serves the look-up of a connected agent's sessions.
sessionSchema.index({ agentId: 1, status: 1 });
// Serves the loop over sessions on their way to a host.
sessionSchema.index({ launcher: 1, phase: 1 });
// Serves the loops over idle, expired and unfinished sessions.
sessionSchema.index({ status: 1, expiresAt: 1 });
