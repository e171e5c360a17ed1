import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope } from '../access/principal';
import { Config } from '../config/config';
import { IdempotencyRepository } from './idempotency.repository';

const KEY_PATTERN = /^[\x21-\x7e]{1,255}$/;

/** Same key, same result: reserves the id of what a request will make, before it is made. */
@Injectable()
export class IdempotencyService {
  constructor(
    private readonly keys: IdempotencyRepository,
    private readonly config: Config,
  ) {}

  /**
   * The id under which the thing must be made. `place` is where the key counts (a session, or an organisation's
   * sessions). Every request with this key and body gets the same id, also those that come at the same time; whoever
   * finds the thing missing makes it. Another body: 422 idempotency_mismatch.
   */
  async reserve(
    scope: OrgScope,
    place: string,
    key: string | undefined,
    body: unknown,
    newId: string,
  ): Promise<string> {
    if (key === undefined) return newId;
    if (!KEY_PATTERN.test(key)) {
      const details = [
        { path: 'Idempotency-Key', message: 'must be 1 to 255 visible ASCII characters', code: 'invalid' },
      ];
      throw new ReinsError('validation_failed', { details });
    }
    const bodyHash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
    const claimed = await this.keys.claim(scope, {
      _id: `${scope.orgId}:${place}:${key}`,
      bodyHash,
      resultId: newId,
      expireAt: new Date(Date.now() + this.config.env.IDEMPOTENCY_HOURS * 3_600_000),
    });
    if (claimed.bodyHash !== bodyHash) throw new ReinsError('idempotency_mismatch');
    return claimed.resultId;
  }
}
