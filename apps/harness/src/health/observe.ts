import { join } from 'node:path';
import { type HarnessConfig } from '../config/config.schema';
import { type Harness } from '../harness';
import { type Logger, type Secrets } from '../log/logger';
import { type ClientCounters } from '../metrics/counters';
import { exposition } from '../metrics/exposition';
import { harnessMetrics } from '../metrics/harness-metrics';
import { healthReport } from './health-report';
import { HealthServer } from './health-server';

export interface Observed {
  harness: Harness;
  config: HarnessConfig;
  counters: ClientCounters;
  secrets: Secrets;
  version: string;
  log: Logger;
}

/**
 * Lets the machine look at a harness. One that was started for a single session is looked at through its controller, so
 * it listens only where it is told to.
 */
export function observe({ harness, config, counters, secrets, version, log }: Observed): HealthServer | undefined {
  const { healthHost: host, healthPort: port, baseUrl: url, enabled, managed, stateDir } = config;
  if (port === 'off' || (port === undefined && managed)) return undefined;
  const redact = (text: string): string => secrets.redact(text);
  const server = new HealthServer({
    host,
    port,
    file: join(stateDir, 'health.json'),
    health: () => ({
      ...healthReport(harness.status, counters.facts, {
        url,
        enabled,
        version,
        uptimeSeconds: process.uptime(),
        redact,
      }),
      bridges: harness.bridgeStates,
    }),
    isReady: () => harness.status.phase === 'working',
    metrics: () => exposition(harnessMetrics(counters, harness.status, version)),
    log,
  });
  void server.start();
  return server;
}
