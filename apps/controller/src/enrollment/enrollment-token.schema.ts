import { Schema } from 'mongoose';
import { type TenantDocument } from '../database/tenant.repository';

/** Lets harnesses register themselves: how often, until when, and as what. */
export interface EnrollmentTokenDocument extends TenantDocument {
  name: string;
  /** SHA-256 of the whole token: it is 256 random bits, which need no slow hash. */
  hash: string;
  prefix: string;

  /** What its agents are made from. */
  labels: Record<string, string>;
  role: string;
  instructionId?: string;
  allowedToolIds: string[];
  settings: Record<string, unknown>;
  tags: string[];
  nameTemplate: string;

  maxUses: number;
  uses: number;
  /** Enrollment keys whose use is counted and whose agent is about to be stored; what a crash leaves here is taken up. */
  pending: string[];

  userId: string;
  createdBy: string;
  createdAt: Date;
  expiresAt: Date;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
}

export const ENROLLMENT_TOKEN = 'EnrollmentToken';

const mixed = { type: Schema.Types.Mixed };

export const enrollmentTokenSchema = new Schema<EnrollmentTokenDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    name: { type: String, required: true },
    hash: { type: String, required: true },
    prefix: { type: String, required: true },
    labels: { ...mixed, default: {} },
    role: { type: String, required: true },
    instructionId: String,
    allowedToolIds: [String],
    settings: { ...mixed, default: {} },
    tags: [String],
    nameTemplate: { type: String, required: true },
    maxUses: { type: Number, required: true },
    uses: { type: Number, default: 0 },
    pending: { type: [String], default: [] },
    userId: { type: String, required: true },
    createdBy: { type: String, required: true },
    createdAt: { type: Date, required: true },
    expiresAt: { type: Date, required: true },
    lastUsedAt: { type: Date, default: null },
    revokedAt: { type: Date, default: null },
  },
  { versionKey: false, minimize: false, collection: 'enrollment_tokens' },
);

// Serves the check of every enrollment.
enrollmentTokenSchema.index({ hash: 1 }, { unique: true });
// Serves the list: newest first.
enrollmentTokenSchema.index({ orgId: 1, _id: -1 });
