import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, type mongo } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { isDuplicateKey, TenantRepository } from '../database/tenant.repository';
import { SEGMENT, type SegmentDocument, segmentId, segmentRange, segmentSchema } from './segment.schema';

/** Where a session's log stands: what the next segment is built on. */
export interface LogTail {
  seqTo: number;
  incarnation: string | null;
  n: number;
}

const DUPLICATE_KEY = 11000;

@Injectable()
export class SegmentsRepository extends TenantRepository<SegmentDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<SegmentDocument>(SEGMENT, segmentSchema));
  }

  /**
   * Stores segments of many sessions by one command. Returns the ids that another writer had taken; the others are
   * durable. Goes around mongoose's casting: this is the hottest write, and its documents are built a few lines away.
   */
  async insertAll(segments: SegmentDocument[]): Promise<Set<string>> {
    const [first] = segments;
    if (first === undefined) return new Set();
    try {
      // One alone, the common case of a quiet controller, needs none of the driver's bulk machinery.
      if (segments.length === 1) await this.model.collection.insertOne(first as never);
      else await this.model.collection.insertMany(segments as never[], { ordered: false });
      return new Set();
    } catch (error) {
      if (segments.length === 1 && isDuplicateKey(error)) return new Set([first._id]);
      const refused = duplicateIds(error, segments);
      if (refused === undefined) throw error;
      return refused;
    }
  }

  async tail(scope: OrgScope, sessionId: string): Promise<LogTail> {
    const last = await this.model
      .findOne(this.scoped(scope, { _id: segmentRange(sessionId) }), { seqTo: 1, incarnation: 1, n: 1 })
      .sort({ _id: -1 })
      .lean<LogTail>()
      .exec();
    return last === null ? { seqTo: 0, incarnation: null, n: 0 } : last;
  }

  /** Number of the oldest event still kept; 1 where nothing was trimmed yet. */
  async firstSeq(scope: OrgScope, sessionId: string): Promise<number> {
    const first = await this.model
      .findOne(this.scoped(scope, { _id: segmentRange(sessionId) }), { seqFrom: 1 })
      .sort({ _id: 1 })
      .lean<{ seqFrom: number }>()
      .exec();
    return first?.seqFrom ?? 1;
  }

  /** Segments with events after `after`, in order, about `events` of them at most. */
  async readAfter(scope: OrgScope, sessionId: string, after: number, segments: number): Promise<SegmentDocument[]> {
    // The one that begins at or before `after` may still end behind it.
    const from = await this.model
      .findOne(this.scoped(scope, { _id: { $gte: `${sessionId}/`, $lte: segmentId(sessionId, after + 1) } }), {
        seqFrom: 1,
      })
      .sort({ _id: -1 })
      .lean<{ seqFrom: number }>()
      .exec();
    const start = from === null ? `${sessionId}/` : segmentId(sessionId, from.seqFrom);
    return this.model
      .find(this.scoped(scope, { _id: { $gte: start, $lt: `${sessionId}0` } }))
      .sort({ _id: 1 })
      .limit(segments)
      .lean<SegmentDocument[]>()
      .exec();
  }

  async expireAll(scope: OrgScope, sessionId: string, expireAt: Date): Promise<void> {
    await this.model.updateMany(this.scoped(scope, { _id: segmentRange(sessionId) }), { $set: { expireAt } }).exec();
  }

  /**
   * Drops whole segments, oldest first, until at most `maxBytes` are left; the newest always stays, and so do those that
   * begin after `upToSeq`.
   */
  async trim(scope: OrgScope, sessionId: string, maxBytes: number, upToSeq = Infinity): Promise<void> {
    const sizes = await this.model
      .find(this.scoped(scope, { _id: segmentRange(sessionId) }), { sizeBytes: 1, seqFrom: 1 })
      .sort({ _id: -1 })
      .lean<{ _id: string; sizeBytes: number; seqFrom: number }[]>()
      .exec();
    let kept = 0;
    const excess = sizes.filter(({ sizeBytes, seqFrom }, index) => {
      kept += sizeBytes;
      return kept > maxBytes && index > 0 && seqFrom <= upToSeq;
    });
    if (excess.length === 0) return;
    await this.model.deleteMany(this.scoped(scope, { _id: { $in: excess.map(({ _id }) => _id) } })).exec();
  }
}

/** The refused ids where nothing but taken ids went wrong, else undefined. */
function duplicateIds(error: unknown, segments: readonly SegmentDocument[]): Set<string> | undefined {
  const { writeErrors } = error as Partial<mongo.MongoBulkWriteError>;
  if (writeErrors === undefined) return undefined;
  const errors: readonly { code: number; index: number }[] = Array.isArray(writeErrors) ? writeErrors : [writeErrors];
  if (errors.length === 0 || errors.some(({ code }) => code !== DUPLICATE_KEY)) return undefined;
  return new Set(errors.map(({ index }) => segments[index]?._id ?? ''));
}
