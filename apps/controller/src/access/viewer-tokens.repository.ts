import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type Page, TenantRepository } from '../database/tenant.repository';
import { type OrgScope } from './principal';
import { VIEWER_TOKEN, type ViewerTokenDocument, viewerTokenSchema } from './viewer-token.schema';

@Injectable()
export class ViewerTokensRepository extends TenantRepository<ViewerTokenDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<ViewerTokenDocument>(VIEWER_TOKEN, viewerTokenSchema));
  }

  create(scope: OrgScope, token: Omit<ViewerTokenDocument, 'orgId'>): Promise<ViewerTokenDocument> {
    return this.insert(scope, token);
  }

  list(scope: OrgScope, sessionId: string, page: Page): Promise<{ items: ViewerTokenDocument[]; total: number }> {
    return this.findPage(scope, { sessionId }, page);
  }

  get(scope: OrgScope, sessionId: string, id: string): Promise<ViewerTokenDocument | undefined> {
    return this.findOne(scope, { _id: id, sessionId });
  }

  /** Without a tenant: the token itself tells whose it is. */
  async getByHash(hash: string): Promise<ViewerTokenDocument | undefined> {
    const found = await this.model.findOne({ hash }).lean<ViewerTokenDocument>().exec();
    return found ?? undefined;
  }

  /** Which of these tokens still count. Without a tenant: for the loop that watches open streams of all of them. */
  living(ids: readonly string[], now: Date): Promise<string[]> {
    const usable = { _id: { $in: [...ids] }, revokedAt: null, expiresAt: { $gt: now } };
    return this.model.distinct('_id', usable).exec();
  }

  /** The first revocation counts. The token after it; undefined where there is nothing to revoke. */
  revoke(scope: OrgScope, sessionId: string, id: string, at: Date): Promise<ViewerTokenDocument | undefined> {
    return this.updateOne(scope, { _id: id, sessionId, revokedAt: null }, { $set: { revokedAt: at } });
  }
}
