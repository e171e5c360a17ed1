import { createHmac, randomBytes } from 'node:crypto';

export interface VerificationCacheOptions {
  maxEntries: number;
  ttlMs: number;
  /** Milliseconds that never jump. */
  monotonic: () => number;
}

/**
 * Remembers which secrets were right, so that connecting again costs no bcrypt. An entry counts only together with the
 * stored hash it was checked against: after a regenerate it is worth nothing. Secrets are kept as a keyed digest whose
 * key lives as long as the process.
 */
export class VerificationCache {
  private readonly key = randomBytes(32);
  private readonly entries = new Map<string, { stored: string; until: number }>();

  constructor(private readonly options: VerificationCacheOptions) {}

  get size(): number {
    return this.entries.size;
  }

  has(agentId: string, secret: string, stored: string): boolean {
    const entry = this.entries.get(this.keyOf(agentId, secret));
    return entry !== undefined && entry.stored === stored && this.options.monotonic() < entry.until;
  }

  add(agentId: string, secret: string, stored: string): void {
    const key = this.keyOf(agentId, secret);
    this.entries.delete(key);
    this.entries.set(key, { stored, until: this.options.monotonic() + this.options.ttlMs });
    if (this.entries.size > this.options.maxEntries) {
      const [oldest] = this.entries.keys();
      if (oldest !== undefined) this.entries.delete(oldest);
    }
  }

  private keyOf(agentId: string, secret: string): string {
    return createHmac('sha256', this.key).update(`${agentId}:${secret}`).digest('base64');
  }
}
