import { realpathSync } from 'node:fs';
import { Injectable } from '@nestjs/common';
import { newId } from '@reins/shared/ids';
import { Config } from '../config/config';
import { VERSION } from '../health/version';
import { ownIdentity } from './process-identity';
import { type ReplicaDocument } from './replicas.repository';

/** This controller among those that use the same database. */
@Injectable()
export class Replica {
  /** New with every start of the process. */
  readonly id = newId('replica');
  readonly facts: Omit<ReplicaDocument, 'beatAt'>;

  constructor({ env }: Config) {
    const identity = ownIdentity();
    const place = `${identity.machine}:${realPath(env.REINS_DATA_DIR)}`;
    this.facts = {
      _id: this.id,
      ...identity,
      place,
      version: VERSION,
      startedAt: new Date(),
      leaseMs: env.REPLICA_LEASE_MS,
    };
  }

  get machine(): string {
    return this.facts.machine;
  }

  /** Outlives the process: the next controller of this machine and data folder is in the same place. */
  get place(): string {
    return this.facts.place;
  }
}

/** A folder that is not there yet has its own name. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
