import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type Page, TenantRepository } from '../database/tenant.repository';
import { type OrgScope } from './principal';
import { TOKEN_REVOCATION, type TokenRevocationDocument, tokenRevocationSchema } from './token-revocation.schema';

type NewRevocation = Omit<TokenRevocationDocument, 'orgId'>;

@Injectable()
export class TokenRevocationsRepository extends TenantRepository<TokenRevocationDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<TokenRevocationDocument>(TOKEN_REVOCATION, tokenRevocationSchema));
  }

  /** Adds the revocation, or moves the one of the same user on. */
  async put(scope: OrgScope, { _id, userId, ...rest }: NewRevocation): Promise<TokenRevocationDocument> {
    const put = await this.model
      .findOneAndUpdate(
        this.scoped(scope, { userId }),
        { $set: rest, $setOnInsert: { _id } },
        { upsert: true, returnDocument: 'after' },
      )
      .lean<TokenRevocationDocument>()
      .exec();
    return put;
  }

  list(scope: OrgScope, page: Page): Promise<{ items: TokenRevocationDocument[]; total: number }> {
    return this.findPage(scope, {}, page);
  }

  /** What was lifted; undefined where there is none. */
  async lift(scope: OrgScope, id: string): Promise<TokenRevocationDocument | undefined> {
    const lifted = await this.model.findOneAndDelete(this.scoped(scope, { _id: id })).lean<TokenRevocationDocument>();
    return lifted ?? undefined;
  }

  /** Of all organisations: for the loop that keeps them in memory. */
  all(): Promise<Pick<TokenRevocationDocument, 'orgId' | 'userId' | 'issuedUpTo'>[]> {
    return this.model.find({}, { orgId: 1, userId: 1, issuedUpTo: 1 }).lean<TokenRevocationDocument[]>().exec();
  }
}
