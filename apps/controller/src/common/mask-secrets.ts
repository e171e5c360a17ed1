/** What stands in an answer for what only its owner may know. */
export const MASK = '***';

const SECRET_KEY =
  /token|secret|passw|passphrase|api[-_]?key|access[-_]?key|private[-_]?key|oauth|credential|authorization|cookie|webhook/i;
/** Numbers and names that only sound like secrets. */
const HARMLESS_KEY = /^max[-_]?tokens?$|tokens$|token[-_]?(count|limit|budget)s?$/i;
const URL_CREDENTIALS = /^([a-z][a-z0-9+.-]*:\/\/)[^/\s]*@/i;

/** A copy in which every text under a key that names a secret, and every password in a URL, is `***`. */
export function maskSecrets(settings: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, maskValue(value, isSecret(key))]));
}

function isSecret(key: string): boolean {
  return SECRET_KEY.test(key) && !HARMLESS_KEY.test(key);
}

function maskValue(value: unknown, secret: boolean): unknown {
  if (typeof value === 'string') {
    if (secret) return value === '' ? '' : MASK;
    return value.replace(URL_CREDENTIALS, `$1${MASK}@`);
  }
  if (typeof value === 'number') return secret ? MASK : value;
  if (Array.isArray(value)) return value.map((item) => maskValue(item, secret));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, maskValue(child, secret || isSecret(key))]),
  );
}

/**
 * The settings an edit means: wherever it sends back what it was shown masked, the stored value stays. So a client can
 * read, change one field and write without wiping the tokens it never saw.
 */
export function unmaskSecrets(edited: unknown, stored: unknown, shown: unknown = maskOf(stored)): unknown {
  if (typeof edited === 'string') return edited !== stored && edited === shown ? stored : edited;
  if (typeof edited !== 'object' || edited === null) return edited;
  if (Array.isArray(edited)) {
    return edited.map((item, index) => unmaskSecrets(item, childOf(stored, index), childOf(shown, index)));
  }
  return Object.fromEntries(
    Object.entries(edited).map(([key, item]) => [key, unmaskSecrets(item, childOf(stored, key), childOf(shown, key))]),
  );
}

function maskOf(value: unknown): unknown {
  return maskValue(value, false);
}

function childOf(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string | number, unknown>)[key];
}
