import { Injectable } from '@nestjs/common';
import { type CreatedNodeToken, type CreateNodeToken } from '@reins/shared/api/nodes';
import { ReinsError } from '@reins/shared/errors';
import { newObjectId } from '@reins/shared/ids';
import { type OrgScope } from '../../access/principal';
import { TokenService } from '../../access/token.service';
import { AuditService } from '../../audit/audit.service';
import { type Editor } from '../../common/aiwm-document';
import { ListenAddress } from '../../config/listen-address';
import { type Page } from '../../database/tenant.repository';
import { nodeInstallScript } from './node-install-script';
import { type NodeTokenDocument } from './node-token.schema';
import { toNodeTokenView } from './node-token.view';
import { NodeTokensRepository } from './node-tokens.repository';
import { NodesRepository } from './nodes.repository';
import { nodeNotFound, NodesService } from './nodes.service';

/** Tokens with which nodes report that they are alive, and nothing else. */
@Injectable()
export class NodeTokensService {
  constructor(
    private readonly nodes: NodesService,
    private readonly stored: NodesRepository,
    private readonly nodeTokens: NodeTokensRepository,
    private readonly tokens: TokenService,
    private readonly address: ListenAddress,
    private readonly audit: AuditService,
  ) {}

  /** The token is in this answer, and in the script of this answer, and nowhere else. Throws 404 node_not_found. */
  async create(scope: OrgScope, nodeId: string, { expiresIn }: CreateNodeToken, by: Editor): Promise<CreatedNodeToken> {
    const { name } = await this.nodes.get(scope, nodeId);
    const now = new Date();
    const expiresAt = new Date(now.getTime() + expiresIn * 1000);
    const stored = await this.nodeTokens.create(scope, {
      _id: newObjectId(),
      nodeId,
      createdBy: by.actor,
      createdAt: now,
      expiresAt,
      lastUsedAt: null,
      revokedAt: null,
    });
    const metadata = { tokenGeneratedAt: now, tokenExpiresAt: expiresAt };
    if ((await this.stored.update(scope, nodeId, { $set: metadata })) === undefined) {
      // Deleted meanwhile, perhaps after its tokens were ended: this one must not outlive it.
      await this.nodeTokens.revokeAll(scope, nodeId, now);
      throw nodeNotFound(nodeId);
    }
    const token = this.tokens.signNode({ nodeId, orgId: scope.orgId, tokenId: stored._id }, expiresIn);
    await this.record(scope, by, 'created', null, stored);
    const installScript = nodeInstallScript({ nodeId, name, token, baseUrl: this.address.publicUrl });
    return { id: stored._id, token, expiresAt: expiresAt.toISOString(), installScript };
  }

  /** Newest first. Throws 404 node_not_found. */
  async list(scope: OrgScope, nodeId: string, page: Page): Promise<{ items: NodeTokenDocument[]; total: number }> {
    await this.nodes.get(scope, nodeId);
    return this.nodeTokens.list(scope, nodeId, page);
  }

  /** Ends the token at once; twice is once. Throws 404 where the node never had it. */
  async revoke(scope: OrgScope, nodeId: string, id: string, by: Editor): Promise<void> {
    const revoked = await this.nodeTokens.revoke(scope, nodeId, id, new Date());
    if (revoked !== undefined) {
      await this.record(scope, by, 'revoked', { ...revoked, revokedAt: null }, revoked);
    } else if ((await this.nodeTokens.get(scope, nodeId, id)) === undefined) {
      throw new ReinsError('not_found', { message: `The node has no token with ID ${id}` });
    }
  }

  private record(
    scope: OrgScope,
    { actor }: Editor,
    what: 'created' | 'revoked',
    before: NodeTokenDocument | null,
    after: NodeTokenDocument,
  ): Promise<void> {
    return this.audit.record(scope, {
      actor,
      action: `nodeToken.${what}`,
      target: { type: 'nodeToken', id: after._id },
      before: before && { nodeId: before.nodeId, ...toNodeTokenView(before) },
      after: { nodeId: after.nodeId, ...toNodeTokenView(after) },
    });
  }
}
