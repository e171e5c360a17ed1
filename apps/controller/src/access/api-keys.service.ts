import { Injectable, Logger } from '@nestjs/common';
import { type CreateApiKey } from '@reins/shared/api/access';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { AuditService } from '../audit/audit.service';
import { Bus } from '../bus/bus';
import { type Page } from '../database/tenant.repository';
import { type ApiKeyDocument } from './api-key.schema';
import { toApiKeyView } from './api-key.view';
import { ApiKeysRepository } from './api-keys.repository';
import { API_KEY_PREFIX, ApiKeyVerifier } from './authenticator';
import { demandGrantable } from './grants';
import { type OrgScope, orgScope, userPrincipal, type UserPrincipal } from './principal';
import { hashOf, newToken } from './token-hash';

const SHOWN_CHARACTERS = 10;
/** `lastUsedAt` is at most this much behind, so that reading does not turn into writing. */
const USE_RECORDED_EVERY_MS = 60_000;

/** Long-lived credentials of programs. */
@Injectable()
export class ApiKeysService extends ApiKeyVerifier {
  private readonly logger = new Logger('ApiKeys');

  constructor(
    private readonly keys: ApiKeysRepository,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {
    super();
  }

  /** The key is in this answer and nowhere else. Throws 403 where it would be able to more than its maker. */
  async create(
    scope: OrgScope,
    { name, roles, scopes, expiresInSeconds }: CreateApiKey,
    maker: UserPrincipal,
  ): Promise<{ key: string; stored: ApiKeyDocument }> {
    demandGrantable(maker, roles, scopes);
    const key = newToken(API_KEY_PREFIX);
    const now = Date.now();
    const stored = await this.keys.create(scope, {
      _id: newId('apiKey'),
      name,
      hash: hashOf(key),
      prefix: key.slice(0, SHOWN_CHARACTERS),
      roles: [...new Set(roles)],
      scopes: [...new Set(scopes)],
      createdBy: maker.actor,
      createdAt: new Date(now),
      expiresAt: expiresInSeconds === undefined ? null : new Date(now + expiresInSeconds * 1000),
      lastUsedAt: null,
      revokedAt: null,
    });
    await this.record(scope, maker.actor, 'apiKey.created', null, stored);
    return { key, stored };
  }

  list(scope: OrgScope, page: Page): Promise<{ items: ApiKeyDocument[]; total: number }> {
    return this.keys.list(scope, page);
  }

  /** Ends the key at once; twice is once. Throws 404 api_key_not_found. */
  async revoke(scope: OrgScope, id: string, actor: string): Promise<void> {
    const revoked = await this.keys.revoke(scope, id, new Date());
    if (revoked === undefined) {
      if ((await this.keys.get(scope, id)) === undefined) throw new ReinsError('api_key_not_found');
      return;
    }
    this.bus.publish('access.revoked', { orgId: scope.orgId });
    await this.record(scope, actor, 'apiKey.revoked', { ...revoked, revokedAt: null }, revoked);
  }

  async verifyApiKey(key: string): Promise<UserPrincipal | undefined> {
    const stored = await this.keys.getByHash(hashOf(key));
    const now = Date.now();
    if (stored === undefined || stored.revokedAt !== null) return undefined;
    if (stored.expiresAt !== null && stored.expiresAt.getTime() <= now) return undefined;
    await this.recordUse(stored, now);
    const { _id, orgId, name, roles, scopes } = stored;
    return userPrincipal({
      orgId,
      userId: _id,
      actor: `key:${name}`,
      roles,
      credential: { kind: 'apiKey', id: _id },
      ...(scopes && { scopes }),
    });
  }

  /** A note for people: failing to take it must not refuse the request. */
  private async recordUse({ _id, orgId, lastUsedAt }: ApiKeyDocument, now: number): Promise<void> {
    if (now - (lastUsedAt?.getTime() ?? 0) < USE_RECORDED_EVERY_MS) return;
    try {
      await this.keys.recordUse(orgScope(orgId), _id, new Date(now));
    } catch (error) {
      this.logger.warn({ err: error, apiKeyId: _id }, 'the use of an API key could not be recorded');
    }
  }

  private record(
    scope: OrgScope,
    actor: string,
    action: string,
    before: ApiKeyDocument | null,
    after: ApiKeyDocument,
  ): Promise<void> {
    const target = { type: 'apiKey', id: after._id };
    return this.audit.record(scope, {
      actor,
      action,
      target,
      before: before && toApiKeyView(before),
      after: toApiKeyView(after),
    });
  }
}
