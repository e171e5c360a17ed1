import { Schema } from 'mongoose';
import { type TenantDocument } from '../database/tenant.repository';

/**
 * A run of consecutive events of one session, stored by one write. `_id` is the session and the first number, so the
 * primary key is what makes two writers of the same number collide, and a range of it is a session's log in order.
 */
export interface SegmentDocument extends TenantDocument {
  sessionId: string;
  seqFrom: number;
  seqTo: number;
  /** The harness that has pushed last, and its last number: what the next segment carries on from. */
  incarnation: string | null;
  n: number;
  /** Each event as the JSON text clients are sent, so that a replay copies bytes instead of building objects. */
  lines: string[];
  sizeBytes: number;
  expireAt?: Date;
}

export const SEGMENT = 'Segment';

export const segmentSchema = new Schema<SegmentDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    sessionId: { type: String, required: true },
    seqFrom: { type: Number, required: true },
    seqTo: { type: Number, required: true },
    incarnation: { type: String, default: null },
    n: { type: Number, required: true },
    lines: { type: [String], required: true },
    sizeBytes: { type: Number, required: true },
    expireAt: Date,
  },
  { versionKey: false, collection: 'segments' },
);

// Serves the retention: segments of a session that ended go EVENTS_RETENTION_DAYS later.
segmentSchema.index({ expireAt: 1 }, { expireAfterSeconds: 0, sparse: true });

const DIGITS = 12;

export function segmentId(sessionId: string, seqFrom: number): string {
  return `${sessionId}/${String(seqFrom).padStart(DIGITS, '0')}`;
}

/** The range of ids that holds exactly one session's segments ("0" is the character after "/"). */
export function segmentRange(sessionId: string): { $gte: string; $lt: string } {
  return { $gte: `${sessionId}/`, $lt: `${sessionId}0` };
}
