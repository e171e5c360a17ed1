import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type Page, TenantRepository } from '../database/tenant.repository';
import { API_KEY, type ApiKeyDocument, apiKeySchema } from './api-key.schema';
import { type OrgScope } from './principal';

@Injectable()
export class ApiKeysRepository extends TenantRepository<ApiKeyDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<ApiKeyDocument>(API_KEY, apiKeySchema));
  }

  create(scope: OrgScope, key: Omit<ApiKeyDocument, 'orgId'>): Promise<ApiKeyDocument> {
    return this.insert(scope, key);
  }

  list(scope: OrgScope, page: Page): Promise<{ items: ApiKeyDocument[]; total: number }> {
    return this.findPage(scope, {}, page);
  }

  /** Without a tenant: the key itself tells whose it is. */
  async getByHash(hash: string): Promise<ApiKeyDocument | undefined> {
    const found = await this.model.findOne({ hash }).lean<ApiKeyDocument>().exec();
    return found ?? undefined;
  }

  /** Which of these keys still count. Without a tenant: for the loop that watches open streams of all of them. */
  living(ids: readonly string[], now: Date): Promise<string[]> {
    const unexpired = { $or: [{ expiresAt: null }, { expiresAt: { $gt: now } }] };
    return this.model.distinct('_id', { _id: { $in: [...ids] }, revokedAt: null, ...unexpired }).exec();
  }

  async recordUse(scope: OrgScope, id: string, at: Date): Promise<void> {
    await this.updateOne(scope, { _id: id }, { $set: { lastUsedAt: at } });
  }

  get(scope: OrgScope, id: string): Promise<ApiKeyDocument | undefined> {
    return this.findOne(scope, { _id: id });
  }

  /** The first revocation counts. The key after it; undefined where there is nothing to revoke. */
  revoke(scope: OrgScope, id: string, at: Date): Promise<ApiKeyDocument | undefined> {
    return this.updateOne(scope, { _id: id, revokedAt: null }, { $set: { revokedAt: at } });
  }
}
