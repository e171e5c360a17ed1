import { addressGroup } from './address-group';

export interface ConnectThrottleOptions {
  perAgent: number;
  perAddress: number;
  windowMs: number;
  /** Agents and addresses remembered at most; the ones quiet for longest are forgotten first. */
  maxKeys: number;
  /** Milliseconds that never jump. */
  monotonic: () => number;
}

/** What a failure has brought about: set where it began a lock-out, which is said once a window. */
export interface LockOuts {
  agent: boolean;
  address: boolean;
}

interface Failures {
  times: number[];
  /** When the last lock-out was announced. */
  lockedAt: number | undefined;
}

/**
 * Counts failed connects in a sliding window, by agent and by address, IPv6 by its /64. Successful ones are not counted,
 * so any number of harnesses may connect from one address.
 */
export class ConnectThrottle {
  private readonly failures = new Map<string, Failures>();

  constructor(private readonly options: ConnectThrottleOptions) {}

  /** Milliseconds until another attempt is allowed; undefined where it is allowed now. */
  blockedFor(agentId: string, address: string): number | undefined {
    const { perAgent, perAddress } = this.options;
    const waits = [this.wait(agentKey(agentId), perAgent), this.wait(addressKey(address), perAddress)];
    const longest = Math.max(...waits);
    return longest > 0 ? longest : undefined;
  }

  fail(agentId: string, address: string): LockOuts {
    return {
      agent: this.record(agentKey(agentId), this.options.perAgent),
      address: this.record(addressKey(address), this.options.perAddress),
    };
  }

  private wait(key: string, limit: number): number {
    const times = this.failures.get(key)?.times;
    const oldestThatCounts = times?.[times.length - limit];
    if (oldestThatCounts === undefined) return 0;
    return Math.max(0, oldestThatCounts + this.options.windowMs - this.options.monotonic());
  }

  /** Keeps the last `limit` times: older ones cannot block any more. Whether a lock-out began that was not announced. */
  private record(key: string, limit: number): boolean {
    const now = this.options.monotonic();
    const before = this.failures.get(key);
    const failures = { times: [...(before?.times ?? []), now].slice(-limit), lockedAt: before?.lockedAt };
    this.failures.delete(key);
    this.failures.set(key, failures);
    if (this.failures.size > this.options.maxKeys) {
      const [quietest] = this.failures.keys();
      if (quietest !== undefined) this.failures.delete(quietest);
    }
    const isFresh = failures.lockedAt === undefined || now - failures.lockedAt >= this.options.windowMs;
    if (!isFresh || this.wait(key, limit) === 0) return false;
    failures.lockedAt = now;
    return true;
  }
}

const agentKey = (agentId: string): string => `agent ${agentId}`;
const addressKey = (address: string): string => `address ${addressGroup(address)}`;
