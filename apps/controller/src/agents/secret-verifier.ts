import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Injectable } from '@nestjs/common';
import { systemClock } from '@reins/shared/util';
import { type AgentDocument } from './agent.schema';
import { hashSecret, isDigest, matchesSecret } from './secrets';
import { Slots } from './slots';
import { VerificationCache } from './verification-cache';

const CACHE_TTL_MS = 25 * 3_600_000;
const CACHE_ENTRIES = 20_000;
/** bcrypt runs on the four threads that files and names are looked up on too; some are left to them. */
const BCRYPT_SLOTS = Math.min(3, Math.max(2, availableParallelism() - 1));

type Credentials = Pick<AgentDocument, '_id' | 'secretHash' | 'previousSecretHash' | 'previousSecretUntil'>;

/** Checks connect secrets so that a refusal costs the same whatever its reason, and a repeated success costs nothing. */
@Injectable()
export class SecretVerifier {
  private readonly cache = new VerificationCache({
    maxEntries: CACHE_ENTRIES,
    ttlMs: CACHE_TTL_MS,
    monotonic: () => systemClock.monotonic(),
  });
  private readonly slots = new Slots(BCRYPT_SLOTS);
  /** Compared where there is nothing to compare with. */
  private readonly dummy = hashSecret(randomBytes(32).toString('hex'));

  /**
   * Whether the secret is one of the agent's. `admit` is called when a costly check is about to begin, and may throw: of
   * many attempts at once, those that waited are judged by what became of the first.
   */
  async verify(agent: Credentials | undefined, secret: string, admit: () => void): Promise<boolean> {
    const valid = agent === undefined ? [] : validHashes(agent, Date.now());
    const isKnown = () => agent !== undefined && valid.some((stored) => this.cache.has(agent._id, secret, stored));
    if (isKnown()) return true;
    for (const stored of valid.filter(isDigest)) if (await matchesSecret(secret, stored)) return true;

    return this.slots.run(async () => {
      // While this one waited, another connect of the same agent may have found out.
      if (isKnown()) return true;
      admit();
      const costly = valid.filter((stored) => !isDigest(stored));
      if (agent === undefined || costly.length === 0) {
        await matchesSecret(secret, await this.dummy);
        return false;
      }
      const matches = await Promise.all(costly.map((stored) => matchesSecret(secret, stored)));
      const right = costly.find((_, index) => matches[index]);
      if (right !== undefined) this.cache.add(agent._id, secret, right);
      return right !== undefined;
    });
  }
}

function validHashes({ secretHash, previousSecretHash, previousSecretUntil }: Credentials, now: number): string[] {
  const hashes = secretHash === undefined ? [] : [secretHash];
  const overlaps = previousSecretUntil !== undefined && previousSecretUntil.getTime() > now;
  return previousSecretHash !== undefined && overlaps ? [...hashes, previousSecretHash] : hashes;
}
