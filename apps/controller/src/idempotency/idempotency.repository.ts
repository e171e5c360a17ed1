import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { isDuplicateKey, TenantRepository } from '../database/tenant.repository';
import { IDEMPOTENCY, type IdempotencyDocument, idempotencySchema } from './idempotency.schema';

@Injectable()
export class IdempotencyRepository extends TenantRepository<IdempotencyDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<IdempotencyDocument>(IDEMPOTENCY, idempotencySchema));
  }

  /** Stores the key, or returns what the one who was first stored under it. */
  async claim(scope: OrgScope, row: Omit<IdempotencyDocument, 'orgId'>): Promise<IdempotencyDocument> {
    try {
      return await this.insert(scope, row);
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      const first = await this.findOne(scope, { _id: row._id });
      // Expired in between: then this request is the first one of its own time.
      return first ?? (await this.claim(scope, row));
    }
  }
}
