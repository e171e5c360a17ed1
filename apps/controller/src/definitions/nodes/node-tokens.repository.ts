import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type NodeTokenStates } from '../../access/authenticator';
import { type OrgScope, orgScope } from '../../access/principal';
import { type Page, TenantRepository } from '../../database/tenant.repository';
import { NODE_TOKEN, type NodeTokenDocument, nodeTokenSchema } from './node-token.schema';

@Injectable()
export class NodeTokensRepository extends TenantRepository<NodeTokenDocument> implements NodeTokenStates {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<NodeTokenDocument>(NODE_TOKEN, nodeTokenSchema));
  }

  create(scope: OrgScope, token: Omit<NodeTokenDocument, 'orgId'>): Promise<NodeTokenDocument> {
    return this.insert(scope, token);
  }

  get(scope: OrgScope, nodeId: string, id: string): Promise<NodeTokenDocument | undefined> {
    return this.findOne(scope, { _id: id, nodeId });
  }

  list(scope: OrgScope, nodeId: string, page: Page): Promise<{ items: NodeTokenDocument[]; total: number }> {
    return this.findPage(scope, { nodeId }, page, { createdAt: -1, _id: -1 });
  }

  async nodeTokenCounts(orgId: string, nodeId: string, tokenId: string): Promise<boolean> {
    const token = await this.get(orgScope(orgId), nodeId, tokenId);
    return token !== undefined && token.revokedAt === null && token.expiresAt.getTime() > Date.now();
  }

  async recordUse(scope: OrgScope, id: string, at: Date): Promise<void> {
    await this.updateOne(scope, { _id: id }, { $set: { lastUsedAt: at } });
  }

  /** Undefined where there is no such token, or it was revoked before. */
  revoke(scope: OrgScope, nodeId: string, id: string, at: Date): Promise<NodeTokenDocument | undefined> {
    return this.updateOne(scope, { _id: id, nodeId, revokedAt: null }, { $set: { revokedAt: at } });
  }

  async revokeAll(scope: OrgScope, nodeId: string, at: Date): Promise<void> {
    await this.model.updateMany(this.scoped(scope, { nodeId, revokedAt: null }), { $set: { revokedAt: at } }).exec();
  }
}
