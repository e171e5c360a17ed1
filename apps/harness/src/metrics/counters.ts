import { type Clock, isoTime, systemClock } from '@reins/shared/util/clock';

const COUNTERS = {
  connectionSuccess: [
    'aiwm_connection_success_total',
    'Connects the controller accepted, renewals of the token included',
  ],
  connectionFailure: ['aiwm_connection_failure_total', 'Attempts to connect, or to open the link, that failed'],
  heartbeatSuccess: ['aiwm_heartbeat_success_total', 'Heartbeats the controller answered'],
  heartbeatFailure: [
    'aiwm_heartbeat_failure_total',
    'Heartbeats that were due and could not be sent, or were not answered',
  ],
  tokenRefresh: ['aiwm_token_refresh_total', 'Tokens that replaced an earlier one'],
  configUpdate: ['aiwm_config_update_total', 'Configurations of the controller that took effect, the first included'],
} as const;
type Counter = keyof typeof COUNTERS;

/** What happened between this harness and its controller: how often, and when last. Only this class counts it. */
export class ClientCounters {
  private readonly counts = new Map<Counter, number>();
  private connectedAt: number | undefined;
  private beatAt: number | undefined;
  private connectionError: string | null = null;
  private heartbeatError: string | null = null;

  constructor(private readonly clock: Clock = systemClock) {}

  connectionSucceeded(): void {
    this.count('connectionSuccess');
    this.connectionUp();
  }

  /** The link stands; counted was the connect before it. */
  connectionUp(): void {
    this.connectedAt = this.clock.now();
    this.connectionError = null;
  }

  connectionFailed(reason?: string): void {
    this.count('connectionFailure');
    this.connectionLost(reason);
  }

  /** Not a failed attempt, but what the next one has to make good. */
  connectionLost(reason?: string): void {
    this.connectionError = reason ?? 'unknown';
  }

  heartbeatSucceeded(): void {
    this.count('heartbeatSuccess');
    this.beatAt = this.clock.now();
    this.heartbeatError = null;
  }

  heartbeatFailed(reason?: string): void {
    this.count('heartbeatFailure');
    this.heartbeatError = reason ?? 'unknown';
  }

  tokenRefreshed(): void {
    this.count('tokenRefresh');
  }

  configUpdated(): void {
    this.count('configUpdate');
  }

  /** RFC 3339, null where there was none; an error is null again after the next success. */
  get facts(): ClientFacts {
    return {
      lastConnectedAt: time(this.connectedAt),
      lastConnectionError: this.connectionError,
      lastHeartbeatAt: time(this.beatAt),
      lastHeartbeatError: this.heartbeatError,
    };
  }

  /** Every counter, those that are still zero included. */
  get values(): { name: string; help: string; value: number }[] {
    return (Object.keys(COUNTERS) as Counter[]).map((counter) => {
      const [name, help] = COUNTERS[counter];
      return { name, help, value: this.counts.get(counter) ?? 0 };
    });
  }

  private count(counter: Counter): void {
    this.counts.set(counter, (this.counts.get(counter) ?? 0) + 1);
  }
}

export interface ClientFacts {
  lastConnectedAt: string | null;
  lastConnectionError: string | null;
  lastHeartbeatAt: string | null;
  lastHeartbeatError: string | null;
}

function time(at: number | undefined): string | null {
  return at === undefined ? null : isoTime(at);
}
