export interface ConnectThrottleOptions {
  perAgent: number;
  perAddress: number;
  windowMs: number;
  /** Agents and addresses remembered at most; the ones quiet for longest are forgotten first. */
  maxKeys: number;
  /** Milliseconds that never jump. */
  monotonic: () => number;
}

/**
 * Counts failed connects in a sliding window, by agent and by address. Successful ones are not counted, so any number of
 * harnesses may connect from one address.
 */
export class ConnectThrottle {
  private readonly failures = new Map<string, number[]>();

  constructor(private readonly options: ConnectThrottleOptions) {}

  /** Milliseconds until another attempt is allowed; undefined where it is allowed now. */
  blockedFor(agentId: string, address: string): number | undefined {
    const { perAgent, perAddress } = this.options;
    const waits = [this.wait(`agent ${agentId}`, perAgent), this.wait(`address ${address}`, perAddress)];
    const longest = Math.max(...waits);
    return longest > 0 ? longest : undefined;
  }

  fail(agentId: string, address: string): void {
    this.record(`agent ${agentId}`, this.options.perAgent);
    this.record(`address ${address}`, this.options.perAddress);
  }

  private wait(key: string, limit: number): number {
    const times = this.failures.get(key);
    const oldestThatCounts = times?.[times.length - limit];
    if (oldestThatCounts === undefined) return 0;
    return Math.max(0, oldestThatCounts + this.options.windowMs - this.options.monotonic());
  }

  /** Keeps the last `limit` times: older ones cannot block any more. */
  private record(key: string, limit: number): void {
    const times = [...(this.failures.get(key) ?? []), this.options.monotonic()].slice(-limit);
    this.failures.delete(key);
    this.failures.set(key, times);
    if (this.failures.size > this.options.maxKeys) {
      const [quietest] = this.failures.keys();
      if (quietest !== undefined) this.failures.delete(quietest);
    }
  }
}
