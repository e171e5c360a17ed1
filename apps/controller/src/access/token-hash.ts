import { createHash, randomBytes } from 'node:crypto';

const RANDOM_BYTES = 32;

/** A new credential: its kind's prefix and 256 random bits, which need no slow hash when they are stored. */
export function newToken(prefix: string): string {
  return prefix + randomBytes(RANDOM_BYTES).toString('base64url');
}

/** SHA-256 in hexadecimal: what is stored of a credential, and looked up when it comes back. */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
