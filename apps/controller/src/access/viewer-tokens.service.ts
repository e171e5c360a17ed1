import { Injectable } from '@nestjs/common';
import { type CreateViewerToken } from '@reins/shared/api/access';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { AuditService } from '../audit/audit.service';
import { Bus } from '../bus/bus';
import { type Page } from '../database/tenant.repository';
import { VIEWER_TOKEN_PREFIX, ViewerTokenVerifier } from './authenticator';
import { type OrgScope, type ViewerPrincipal } from './principal';
import { hashOf, newToken } from './token-hash';
import { type ViewerTokenDocument } from './viewer-token.schema';
import { toViewerTokenView } from './viewer-token.view';
import { ViewerTokensRepository } from './viewer-tokens.repository';

/** Tokens that show one session and nothing else. Whether the session exists is the caller's to know. */
@Injectable()
export class ViewerTokensService extends ViewerTokenVerifier {
  constructor(
    private readonly tokens: ViewerTokensRepository,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {
    super();
  }

  /** The token is in this answer and nowhere else. */
  async create(
    scope: OrgScope,
    sessionId: string,
    { expiresInSeconds }: CreateViewerToken,
    actor: string,
  ): Promise<{ token: string; stored: ViewerTokenDocument }> {
    const token = newToken(VIEWER_TOKEN_PREFIX);
    const now = Date.now();
    const stored = await this.tokens.create(scope, {
      _id: newId('viewerToken'),
      sessionId,
      hash: hashOf(token),
      createdBy: actor,
      createdAt: new Date(now),
      expiresAt: new Date(now + expiresInSeconds * 1000),
      revokedAt: null,
    });
    await this.record(scope, actor, 'viewerToken.created', null, stored);
    return { token, stored };
  }

  list(scope: OrgScope, sessionId: string, page: Page): Promise<{ items: ViewerTokenDocument[]; total: number }> {
    return this.tokens.list(scope, sessionId, page);
  }

  /** Ends the token and the streams opened with it; twice is once. Throws 404 viewer_token_not_found. */
  async revoke(scope: OrgScope, sessionId: string, id: string, actor: string): Promise<void> {
    const revoked = await this.tokens.revoke(scope, sessionId, id, new Date());
    if (revoked === undefined) {
      if ((await this.tokens.get(scope, sessionId, id)) === undefined) throw new ReinsError('viewer_token_not_found');
      return;
    }
    this.bus.publish('access.revoked', { orgId: scope.orgId });
    await this.record(scope, actor, 'viewerToken.revoked', { ...revoked, revokedAt: null }, revoked);
  }

  async verifyViewerToken(token: string): Promise<ViewerPrincipal | undefined> {
    const stored = await this.tokens.getByHash(hashOf(token));
    if (stored === undefined || stored.revokedAt !== null || stored.expiresAt.getTime() <= Date.now()) return undefined;
    const { _id, orgId, sessionId } = stored;
    return { kind: 'viewer', orgId, tokenId: _id, sessionId, actor: `viewer:${_id}` };
  }

  private record(
    scope: OrgScope,
    actor: string,
    action: string,
    before: ViewerTokenDocument | null,
    after: ViewerTokenDocument,
  ): Promise<void> {
    const target = { type: 'viewerToken', id: after._id };
    const views = { before: before && toViewerTokenView(before), after: toViewerTokenView(after) };
    return this.audit.record(scope, { actor, action, target, ...views });
  }
}
