import { type AgentMode } from '../agent/agent-context';
import { type ClientFacts } from '../metrics/counters';

/** How the harness is, in its own words. */
export interface HarnessStatus {
  /** `starting`: there is no configuration yet. `refused`: the controller will never take this harness. */
  phase: 'starting' | 'working' | 'stopping' | 'refused';
  connected: boolean;
  mode: AgentMode;
  /** Empty where there is none. */
  configVersion: string;
  sessions: number;
  turnsRunning: number;
}

export interface HealthReport {
  /** `degraded`: it works or will work, but without its controller. `down`: it takes no more work. */
  status: 'ok' | 'degraded' | 'down';
  controller: {
    /** Whether there is to be a controller at all. */
    enabled: boolean;
    connected: boolean;
    url: string | null;
    mode: AgentMode;
    lastConnectedAt: string | null;
    lastError: string | null;
  };
  heartbeat: { lastAt: string | null; lastError: string | null };
  configVersion: string | null;
  sessions: number;
  turnsRunning: number;
  uptimeSeconds: number;
  version: string;
}

export interface HealthSource {
  /** The controller's address without credentials; empty where there is to be none. */
  url: string;
  enabled: boolean;
  version: string;
  uptimeSeconds: number;
  /** Takes secrets out of what others have said. */
  redact: (text: string) => string;
}

/** What `/health` answers. It is for people and monitors of the machine: nothing in it is a secret. */
export function healthReport(status: HarnessStatus, facts: ClientFacts, source: HealthSource): HealthReport {
  const safe = (text: string | null): string | null => (text === null ? null : source.redact(text));
  return {
    status: verdict(status, source.enabled),
    controller: {
      enabled: source.enabled,
      connected: status.connected,
      url: source.url === '' ? null : source.redact(source.url),
      mode: status.mode,
      lastConnectedAt: facts.lastConnectedAt,
      lastError: safe(facts.lastConnectionError),
    },
    heartbeat: { lastAt: facts.lastHeartbeatAt, lastError: safe(facts.lastHeartbeatError) },
    configVersion: status.configVersion === '' ? null : status.configVersion,
    sessions: status.sessions,
    turnsRunning: status.turnsRunning,
    uptimeSeconds: Math.round(source.uptimeSeconds),
    version: source.version,
  };
}

function verdict({ phase, connected }: HarnessStatus, enabled: boolean): HealthReport['status'] {
  if (phase === 'stopping' || phase === 'refused') return 'down';
  return phase === 'working' && (connected || !enabled) ? 'ok' : 'degraded';
}
