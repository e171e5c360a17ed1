import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Collection, type Connection } from 'mongoose';
import { type ProcessIdentity } from './process-identity';

/** A controller that uses this database. */
export interface ReplicaDocument extends ProcessIdentity {
  _id: string;
  /** Where it keeps what it starts: the machine and its data folder. */
  place: string;
  version: string;
  startedAt: Date;
  /** For so long after a beat it counts as living. */
  leaseMs: number;
  beatAt: Date;
}

const FORGET_AFTER_SECONDS = 86_400;

/** The controllers of this database. Beats are dated by the database, so the replicas' clocks may differ. */
@Injectable()
export class ReplicasRepository {
  private readonly replicas: Collection<ReplicaDocument>;

  constructor(@InjectConnection() connection: Connection) {
    this.replicas = connection.collection<ReplicaDocument>('replicas');
  }

  async prepare(): Promise<void> {
    await this.replicas.createIndex({ beatAt: 1 }, { expireAfterSeconds: FORGET_AFTER_SECONDS });
  }

  /** Says that the replica lives; also where somebody has forgotten it. */
  async beat(replica: Omit<ReplicaDocument, 'beatAt'>): Promise<void> {
    const { _id, ...facts } = replica;
    // Text of ours could look like a path into the document.
    const literal = Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, { $literal: value }]));
    await this.replicas.updateOne({ _id }, [{ $set: { ...literal, beatAt: '$$NOW' } }], { upsert: true });
  }

  /** Those whose last beat still counts, the oldest first. */
  living(): Promise<ReplicaDocument[]> {
    const recent = { $gt: [{ $add: ['$beatAt', '$leaseMs'] }, '$$NOW'] };
    return this.replicas.find({ $expr: recent }).sort({ startedAt: 1, _id: 1 }).toArray();
  }

  async get(id: string): Promise<ReplicaDocument | undefined> {
    return (await this.replicas.findOne({ _id: id })) ?? undefined;
  }

  async forget(id: string): Promise<void> {
    await this.replicas.deleteOne({ _id: id });
  }
}
