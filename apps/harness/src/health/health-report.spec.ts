import { type ClientFacts } from '../metrics/counters';
import { healthReport, type HarnessStatus } from './health-report';

const working: HarnessStatus = {
  phase: 'working',
  connected: true,
  mode: 'remote',
  configVersion: 'v1',
  sessions: 2,
  turnsRunning: 1,
};
const facts: ClientFacts = {
  lastConnectedAt: '2026-01-01T00:00:00.000Z',
  lastConnectionError: null,
  lastHeartbeatAt: '2026-01-01T00:00:10.000Z',
  lastHeartbeatError: null,
};
const source = {
  url: 'http://user:hunter2@controller.example',
  enabled: true,
  version: '1.2.3',
  uptimeSeconds: 12.6,
  redact: (text: string) => text.replace('hunter2', '***'),
};

describe('healthReport', () => {
  it('says everything a monitor wants', () => {
    expect(healthReport(working, facts, source)).toEqual({
      status: 'ok',
      controller: {
        enabled: true,
        connected: true,
        url: 'http://user:***@controller.example',
        mode: 'remote',
        lastConnectedAt: '2026-01-01T00:00:00.000Z',
        lastError: null,
      },
      heartbeat: { lastAt: '2026-01-01T00:00:10.000Z', lastError: null },
      configVersion: 'v1',
      sessions: 2,
      turnsRunning: 1,
      uptimeSeconds: 13,
      version: '1.2.3',
    });
  });

  it.each<[string, Partial<HarnessStatus>, boolean, string]>([
    ['connected', {}, true, 'ok'],
    ['connection lost', { connected: false }, true, 'degraded'],
    ['local for want of a controller', { connected: false, mode: 'local' }, true, 'degraded'],
    ['local because there is to be none', { connected: false, mode: 'local' }, false, 'ok'],
    ['starting', { phase: 'starting', connected: false }, true, 'degraded'],
    ['stopping', { phase: 'stopping' }, true, 'down'],
    ['refused', { phase: 'refused', connected: false }, true, 'down'],
  ])('%s', (_name, status, enabled, verdict) => {
    expect(healthReport({ ...working, ...status }, facts, { ...source, enabled }).status).toBe(verdict);
  });

  it('shows no secret of an error somebody else wrote', () => {
    const failed = { ...facts, lastConnectionError: 'no hunter2', lastHeartbeatError: 'nor hunter2' };
    expect(JSON.stringify(healthReport(working, failed, source))).not.toContain('hunter2');
  });
});
