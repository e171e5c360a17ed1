import { LINK } from '@reins/shared/link/limits';
import { type Clock } from '@reins/shared/util/clock';
import { backoffMs, retry } from '@reins/shared/util/retry';
import { type Rng } from '@reins/shared/util/rng';
import { describeError, type Logger } from '../log/logger';
import { type ClientCounters } from '../metrics/counters';
import { type AgentConfiguration, type ControllerApi } from './controller-api';
import { failureFields, HttpRefusal } from './http';
import { finalRefusal, type LinkEnd } from './link-end';

export interface TokenKeeperOptions {
  api: ControllerApi;
  /** At every accepted connect. */
  configured: (configuration: AgentConfiguration) => void;
  /** The controller was away at the start; called once, and only where `retryMs` says how to go on without it. */
  unreachable: () => void;
  /** How often a controller that has never answered is tried again; undefined: the harness has nothing to do without it. */
  retryMs: number | undefined;
  /** A connect has left the process, while its answer is still to come. */
  onSent: () => void;
  counters: ClientCounters;
  log: Logger;
  clock: Clock;
  rng: Rng;
  signal: AbortSignal;
}

const CONNECT_DELAYS_MS = [1000, 2000, 4000];
const HOUR_MS = 60 * 60 * 1000;
const RENEW_AT_MOST_MS = 23 * HOUR_MS;

/** Gets the agent's token, renews it ahead of its end, and knows when there will never be another one. */
export class TokenKeeper {
  private connecting: Promise<LinkEnd | undefined> | undefined;
  private renewAt = 0;
  private hasConnected = false;

  constructor(private readonly options: TokenKeeperOptions) {}

  /** Connects by HTTP until it is accepted; answers why where it never will be. Calls at the same time share one. */
  renew(): Promise<LinkEnd | undefined> {
    return (this.connecting ??= this.connect().finally(() => (this.connecting = undefined)));
  }

  /** Renews the token in time, again and again; answers why where that is over. Rejects when the signal aborts. */
  async keepFresh(): Promise<LinkEnd> {
    const { clock, signal, log } = this.options;
    for (;;) {
      const waitMs = this.renewAt - clock.monotonic();
      // Whatever else brought a new token has moved the time.
      if (waitMs > 0) await clock.sleep(waitMs, signal);
      if (clock.monotonic() < this.renewAt) continue;
      log.info('renewing the token before it ends');
      const end = await this.renew();
      if (end !== undefined) return end;
    }
  }

  private async connect(): Promise<LinkEnd | undefined> {
    const { log, signal, clock, rng, retryMs, unreachable } = this.options;
    for (let attempt = 1; ; attempt++) {
      try {
        await retry(() => this.attempt(), {
          delaysMs: attempt === 1 ? CONNECT_DELAYS_MS : [],
          shouldRetry: (error) => !(error instanceof HttpRefusal) || error.status >= 500,
          onRetry: (error, number) => log.warn('connect failed', { attempt: number, ...failureFields(error) }),
          signal,
          clock,
        });
        return undefined;
      } catch (error) {
        signal.throwIfAborted();
        const refusal = error instanceof HttpRefusal ? error : undefined;
        const final = refusal === undefined ? undefined : finalRefusal(refusal);
        if (final !== undefined) return final;
        const isLocal = retryMs !== undefined && !this.hasConnected;
        const waitMs =
          refusal?.retryAfterMs ??
          (isLocal ? retryMs * (0.9 + 0.2 * rng.next()) : backoffMs(attempt + 3, 1000, LINK.reconnectMaxMs, rng));
        log.error('the controller cannot be reached; trying again', {
          ...failureFields(error),
          waitMs: Math.round(waitMs),
        });
        if (isLocal && attempt === 1) unreachable();
        await clock.sleep(waitMs, signal);
      }
    }
  }

  private async attempt(): Promise<void> {
    const { api, configured, onSent, counters, clock, signal } = this.options;
    try {
      const { configuration, expiresInSeconds } = await api.connect(signal, onSent);
      counters.connectionSucceeded();
      if (this.hasConnected) counters.tokenRefreshed();
      this.hasConnected = true;
      this.renewAt = clock.monotonic() + renewAfterMs(expiresInSeconds);
      configured(configuration);
    } catch (error) {
      if (!signal.aborted) counters.connectionFailed(describeError(error));
      throw error;
    }
  }
}

/** An hour before the token ends, at the latest after 23; a token that is short itself at half of its life. */
export function renewAfterMs(expiresInSeconds: number): number {
  const lifeMs = expiresInSeconds * 1000;
  return Math.min(RENEW_AT_MOST_MS, Math.max(lifeMs - HOUR_MS, lifeMs / 2));
}
