import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { type Page, TenantRepository } from '../database/tenant.repository';
import { ENROLLMENT_TOKEN, type EnrollmentTokenDocument, enrollmentTokenSchema } from './enrollment-token.schema';

@Injectable()
export class EnrollmentTokensRepository extends TenantRepository<EnrollmentTokenDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<EnrollmentTokenDocument>(ENROLLMENT_TOKEN, enrollmentTokenSchema));
  }

  create(scope: OrgScope, token: Omit<EnrollmentTokenDocument, 'orgId'>): Promise<EnrollmentTokenDocument> {
    return this.insert(scope, token);
  }

  get(scope: OrgScope, id: string): Promise<EnrollmentTokenDocument | undefined> {
    return this.findOne(scope, { _id: id });
  }

  list(scope: OrgScope, page: Page): Promise<{ items: EnrollmentTokenDocument[]; total: number }> {
    return this.findPage(scope, {}, page);
  }

  /** Without a tenant: the token itself tells whose it is. */
  async getByHash(hash: string): Promise<EnrollmentTokenDocument | undefined> {
    const found = await this.model.findOne({ hash }).lean<EnrollmentTokenDocument>().exec();
    return found ?? undefined;
  }

  /**
   * Counts one use for a key, if the token is good for another. The one place where uses are counted, so there are never
   * more than `maxUses`, however many ask at once. A key that is counted already gets nothing.
   */
  claim(
    scope: OrgScope,
    id: string,
    { key, maxUses, at }: { key: string; maxUses: number; at: Date },
  ): Promise<EnrollmentTokenDocument | undefined> {
    return this.updateOne(
      scope,
      { _id: id, revokedAt: null, expiresAt: { $gt: at }, uses: { $lt: maxUses }, pending: { $ne: key } },
      { $inc: { uses: 1 }, $push: { pending: key }, $set: { lastUsedAt: at } },
    );
  }

  /** The agent of the key is stored. The token as it is then. */
  settle(scope: OrgScope, id: string, key: string): Promise<EnrollmentTokenDocument | undefined> {
    return this.updateOne(scope, { _id: id }, { $pull: { pending: key } });
  }

  /** Takes a use back that came to nothing, once. */
  async release(scope: OrgScope, id: string, key: string): Promise<void> {
    await this.updateOne(scope, { _id: id, pending: key }, { $inc: { uses: -1 }, $pull: { pending: key } });
  }

  /** The first revocation counts. Undefined where no such token exists. */
  async revoke(scope: OrgScope, id: string, at: Date): Promise<EnrollmentTokenDocument | undefined> {
    const revoked = await this.updateOne(scope, { _id: id, revokedAt: null }, { $set: { revokedAt: at } });
    return revoked ?? (await this.get(scope, id));
  }
}
