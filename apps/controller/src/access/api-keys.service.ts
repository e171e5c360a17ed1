import { createHash, randomBytes } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { type CreateApiKey } from '@reins/shared/api/access';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { type Page } from '../database/tenant.repository';
import { type ApiKeyDocument } from './api-key.schema';
import { ApiKeysRepository } from './api-keys.repository';
import { API_KEY_PREFIX, ApiKeyVerifier } from './authenticator';
import { type OrgScope, orgScope, permissionsOf, type UserPrincipal } from './principal';

const KEY_BYTES = 32;
const SHOWN_CHARACTERS = 10;
/** `lastUsedAt` is at most this much behind, so that reading does not turn into writing. */
const USE_RECORDED_EVERY_MS = 60_000;

/** Long-lived credentials of programs. */
@Injectable()
export class ApiKeysService extends ApiKeyVerifier {
  private readonly logger = new Logger('ApiKeys');

  constructor(private readonly keys: ApiKeysRepository) {
    super();
  }

  /** The key is in this answer and nowhere else. */
  async create(
    scope: OrgScope,
    { name, roles, expiresInSeconds }: CreateApiKey,
    actor: string,
  ): Promise<{ key: string; stored: ApiKeyDocument }> {
    const key = API_KEY_PREFIX + randomBytes(KEY_BYTES).toString('base64url');
    const now = Date.now();
    const stored = await this.keys.create(scope, {
      _id: newId('apiKey'),
      name,
      hash: hashOf(key),
      prefix: key.slice(0, SHOWN_CHARACTERS),
      roles: [...new Set(roles)],
      createdBy: actor,
      createdAt: new Date(now),
      expiresAt: expiresInSeconds === undefined ? null : new Date(now + expiresInSeconds * 1000),
      lastUsedAt: null,
      revokedAt: null,
    });
    return { key, stored };
  }

  list(scope: OrgScope, page: Page): Promise<{ items: ApiKeyDocument[]; total: number }> {
    return this.keys.list(scope, page);
  }

  /** Ends the key at once; twice is once. Throws 404 api_key_not_found. */
  async revoke(scope: OrgScope, id: string): Promise<void> {
    if (!(await this.keys.revoke(scope, id, new Date()))) throw new ReinsError('api_key_not_found');
  }

  async verifyApiKey(key: string): Promise<UserPrincipal | undefined> {
    const stored = await this.keys.getByHash(hashOf(key));
    const now = Date.now();
    if (stored === undefined || stored.revokedAt !== null) return undefined;
    if (stored.expiresAt !== null && stored.expiresAt.getTime() <= now) return undefined;
    await this.recordUse(stored, now);
    const { _id, orgId, name, roles } = stored;
    return { kind: 'user', orgId, userId: _id, actor: `key:${name}`, roles, permissions: permissionsOf(roles) };
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
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
