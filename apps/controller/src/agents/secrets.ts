import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { compare, hash } from 'bcrypt';

const BCRYPT_COST = 10;
/** bcrypt reads no more than this, so a longer secret is refused instead of being compared in part. */
const BCRYPT_BYTES = 72;
const DIGEST_PREFIX = 'sha256$';

/** 256 random bits as 64 hexadecimal digits. */
export function newSecret(): string {
  return randomBytes(32).toString('hex');
}

/** The stored form of a secret that a person handles or has chosen. */
export function hashSecret(secret: string): Promise<string> {
  return hash(secret, BCRYPT_COST);
}

/**
 * The stored form of a secret that the controller mints for its own harness and shows to nobody: 256 random bits need no
 * slow hash (docs/decisions/0004-managed-agent-secrets.md).
 */
export function digestSecret(secret: string): string {
  return DIGEST_PREFIX + createHash('sha256').update(secret).digest('hex');
}

export function isDigest(stored: string): boolean {
  return stored.startsWith(DIGEST_PREFIX);
}

/** Whether the secret is the stored one, in a time that does not depend on how much of it is right. */
export async function matchesSecret(secret: string, stored: string): Promise<boolean> {
  if (isDigest(stored)) return timingSafeEqual(Buffer.from(digestOf(secret)), Buffer.from(digestOf(stored, true)));
  const matches = await compare(secret, stored);
  return matches && Buffer.byteLength(secret) <= BCRYPT_BYTES;
}

/** Always 64 characters, so that the comparison never throws on a damaged record. */
function digestOf(value: string, stored = false): string {
  const digest = stored ? value : digestSecret(value);
  return digest.slice(DIGEST_PREFIX.length).padEnd(64).slice(0, 64);
}
