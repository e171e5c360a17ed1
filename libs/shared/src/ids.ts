import { randomBytes } from 'node:crypto';

/** Every kind of id Reins mints, by the prefix that callers see in front of it. */
export const ID_PREFIXES = {
  session: 'sess',
  turn: 'req',
  runtime: 'rt',
  worker: 'wk',
  skill: 'sk',
  operation: 'op',
  interaction: 'int',
  snapshot: 'snap',
  blob: 'blob',
  apiKey: 'key',
  incarnation: 'inc',
  launch: 'run',
  audit: 'aud',
  viewerToken: 'vt',
  tokenRevocation: 'rev',
  enrollmentToken: 'enr',
  agentEvent: 'ev',
  installation: 'ins',
  replica: 'rep',
  warmPod: 'warm',
  connection: 'con',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_DIGITS = 10;
const RANDOM_DIGITS = 16;

/**
 * A new id such as `sess-01jd3k5v9m7q2w4x8c6n0pbtzr`: ten digits of milliseconds, sixteen of randomness (80 bit), so ids
 * sort by their creation and cannot be guessed.
 */
export function newId(kind: IdKind, now: number = Date.now()): string {
  let digits = '';
  let time = now;
  for (let i = 0; i < TIME_DIGITS; i++) {
    digits = ALPHABET.charAt(time % 32) + digits;
    time = Math.floor(time / 32);
  }
  for (const byte of randomBytes(RANDOM_DIGITS)) digits += ALPHABET.charAt(byte & 31);
  return `${ID_PREFIXES[kind]}-${digits}`;
}

/** Below every id of the kind that is minted from that time on, and above all earlier ones. */
export function idFloor(kind: IdKind, ms: number): string {
  return newId(kind, ms).slice(0, -RANDOM_DIGITS);
}

/** The pattern of a well-formed id of one kind; anything else can be refused before the database is asked. */
export function idPattern(kind: IdKind): RegExp {
  return new RegExp(`^${ID_PREFIXES[kind]}-[0-9a-hjkmnp-tv-z]{${TIME_DIGITS + RANDOM_DIGITS}}$`);
}

/** Agents, instructions, tools and nodes keep MongoDB's 24 hexadecimal digits, as AIWM clients expect. */
export const OBJECT_ID_PATTERN = /^[0-9a-f]{24}$/i;

/** A new 24-digit hexadecimal id: four bytes of seconds, eight of randomness. */
export function newObjectId(now: number = Date.now()): string {
  return (
    Math.floor(now / 1000)
      .toString(16)
      .padStart(8, '0')
      .slice(-8) + randomBytes(8).toString('hex')
  );
}

/** Organisations come from outside (AIWM's have 24 hexadecimal digits); this is what their ids may look like. */
export const ORG_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$/;
