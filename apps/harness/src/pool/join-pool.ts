import { join } from 'node:path';
import { HARNESS_ENV } from '@reins/shared/link/limits';
import { type HarnessSettings } from '../config/load-config';
import { healthReport } from '../health/health-report';
import { HealthServer } from '../health/health-server';
import { type Logger, type Secrets } from '../log/logger';
import { ClientCounters } from '../metrics/counters';
import { exposition } from '../metrics/exposition';
import { harnessMetrics } from '../metrics/harness-metrics';
import { awaitAssignment } from './await-assignment';
import { rehearse } from '../link/rehearse';

export interface PoolMember {
  settings: HarnessSettings;
  token: string;
  incarnation: string;
  version: string;
  secrets: Secrets;
  log: Logger;
  signal: AbortSignal;
}

/** Waits for a session with everything loaded that one may need. Answers the variables to go on with. */
export async function joinPool(member: PoolMember): Promise<Record<string, string>> {
  const { settings, token, incarnation, secrets, log, signal } = member;
  secrets.add(token);
  const counters = new ClientCounters();
  const health = waitingHealth(member, counters);
  try {
    void rehearse(settings.baseUrl, log);
    log.info('waiting for a session', { incarnation });
    const { baseUrl, connectWithinMs: patienceMs } = settings;
    const { agentId, secret, environment } = await awaitAssignment({
      baseUrl,
      token,
      incarnation,
      patienceMs,
      log,
      signal,
      onAnswer: (failure) => (failure === undefined ? counters.connectionUp() : counters.connectionLost(failure)),
    });
    secrets.add(secret);
    log.info('a session took this harness', { agentId });
    return { ...environment, [HARNESS_ENV.agentId]: agentId, [HARNESS_ENV.agentSecret]: secret };
  } finally {
    health?.stop();
  }
}

/** Where the machine is told to look, it sees one that lives and is not ready. */
function waitingHealth(
  { settings, version, secrets, log }: PoolMember,
  counters: ClientCounters,
): HealthServer | undefined {
  const { healthHost: host, healthPort: port, baseUrl: url, enabled, stateDir } = settings;
  if (port === undefined || port === 'off') return undefined;
  const status = () => ({
    phase: 'starting' as const,
    connected: counters.facts.lastConnectedAt !== null && counters.facts.lastConnectionError === null,
    mode: 'local' as const,
    configVersion: '',
    sessions: 0,
    turnsRunning: 0,
  });
  const source = { url, enabled, version, redact: (text: string): string => secrets.redact(text) };
  const server = new HealthServer({
    host,
    port,
    file: join(stateDir, 'health.json'),
    health: () => healthReport(status(), counters.facts, { ...source, uptimeSeconds: process.uptime() }),
    isReady: () => false,
    metrics: () => exposition(harnessMetrics(counters, status(), version)),
    log,
  });
  void server.start();
  return server;
}
