import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Collection, type Connection } from 'mongoose';
import { isDuplicateKey } from '../database/tenant.repository';

interface LeaseDocument {
  _id: string;
  holder: string;
  /** Rises whenever the holder changes. */
  term: number;
  until: Date;
}

/** Leases by name, one document each. Only the clock of the database decides, so those of the replicas may differ. */
@Injectable()
export class LeasesRepository {
  private readonly leases: Collection<LeaseDocument>;

  constructor(@InjectConnection() connection: Connection) {
    this.leases = connection.collection<LeaseDocument>('leases');
  }

  /** Takes the lease or renews it, for so long from now. The term it is held under, or undefined where another has it. */
  async take(name: string, holder: string, forMs: number): Promise<number | undefined> {
    const isOwn = { $eq: ['$holder', holder] };
    const next = { $add: [{ $ifNull: ['$term', 0] }, 1] };
    const change = { term: { $cond: [isOwn, '$term', next] }, holder, until: { $add: ['$$NOW', forMs] } };
    try {
      const lease = await this.leases.findOneAndUpdate(
        { _id: name, $or: [{ holder }, { $expr: { $lt: ['$until', '$$NOW'] } }] },
        [{ $set: change }],
        { upsert: true, returnDocument: 'after' },
      );
      return lease?.term;
    } catch (error) {
      // The upsert met a lease that is another's and has not run out.
      if (isDuplicateKey(error)) return undefined;
      throw error;
    }
  }

  /** Who has it, whether it has run out or not. */
  async holder(name: string): Promise<string | undefined> {
    return (await this.leases.findOne({ _id: name }))?.holder;
  }

  /** Lets go of the lease if it is still this holder's: the next may take it at once. */
  async release(name: string, holder: string): Promise<void> {
    await this.leases.updateOne({ _id: name, holder }, { $set: { until: new Date(0) } });
  }
}
