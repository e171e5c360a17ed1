import { type HarnessStatus } from '../health/health-report';
import { ManualClock } from '../testing/manual-clock';
import { ClientCounters } from './counters';
import { exposition } from './exposition';
import { harnessMetrics } from './harness-metrics';

const status: HarnessStatus = {
  phase: 'working',
  connected: true,
  mode: 'local',
  configVersion: '',
  sessions: 3,
  turnsRunning: 2,
};

describe('ClientCounters', () => {
  it.each([
    ['aiwm_connection_success_total', 'connectionSucceeded'],
    ['aiwm_connection_failure_total', 'connectionFailed'],
    ['aiwm_heartbeat_success_total', 'heartbeatSucceeded'],
    ['aiwm_heartbeat_failure_total', 'heartbeatFailed'],
    ['aiwm_token_refresh_total', 'tokenRefreshed'],
    ['aiwm_config_update_total', 'configUpdated'],
  ] as const)('%s counts %s and nothing else', (metric, call) => {
    const counters = new ClientCounters();
    counters[call]();
    counters[call]();
    const values = counters.values.map(({ name, value }) => [name, value] as const);
    expect(values).toHaveLength(6);
    for (const [name, value] of values) expect([name, value]).toEqual([name, name === metric ? 2 : 0]);
  });

  it('remembers when something last went well, and what is wrong now', async () => {
    const clock = new ManualClock();
    const counters = new ClientCounters(clock);
    counters.connectionSucceeded();
    counters.heartbeatSucceeded();
    await clock.advance(1000);
    counters.connectionLost('transport close');
    counters.heartbeatFailed('no answer');
    expect(counters.facts).toEqual({
      lastConnectedAt: '2026-01-01T00:00:00.000Z',
      lastConnectionError: 'transport close',
      lastHeartbeatAt: '2026-01-01T00:00:00.000Z',
      lastHeartbeatError: 'no answer',
    });
    counters.connectionUp();
    counters.heartbeatSucceeded();
    expect(counters.facts).toEqual({
      lastConnectedAt: '2026-01-01T00:00:01.000Z',
      lastConnectionError: null,
      lastHeartbeatAt: '2026-01-01T00:00:01.000Z',
      lastHeartbeatError: null,
    });
  });
});

describe('exposition', () => {
  it("writes Prometheus' text format", () => {
    expect(
      exposition([
        { name: 'a_total', type: 'counter', help: 'Back\\slash\nand line', value: 3 },
        { name: 'b', type: 'gauge', help: 'h', value: 0.5, labels: { x: 'q"uo\\te\n', y: '1' } },
        { name: 'c', type: 'gauge', help: 'h', value: Infinity },
        { name: 'd', type: 'gauge', help: 'h', value: NaN },
      ]),
    ).toBe(
      '# HELP a_total Back\\\\slash\\nand line\n# TYPE a_total counter\na_total 3\n' +
        '# HELP b h\n# TYPE b gauge\nb{x="q\\"uo\\\\te\\n",y="1"} 0.5\n' +
        '# HELP c h\n# TYPE c gauge\nc +Inf\n' +
        '# HELP d h\n# TYPE d gauge\nd NaN\n',
    );
  });
});

describe('harnessMetrics', () => {
  const text = exposition(harnessMetrics(new ClientCounters(), status, '1.2.3'));
  const values = new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(' ') as [string, string]),
  );

  it('has the counters from the start, the gauges of the harness and those of the process', () => {
    expect(values.get('aiwm_connection_success_total')).toBe('0');
    expect(values.get('reins_harness_connected')).toBe('1');
    expect(values.get('reins_harness_sessions')).toBe('3');
    expect(values.get('reins_harness_turns_running')).toBe('2');
    expect(values.get('reins_harness_info{version="1.2.3",mode="local"}')).toBe('1');
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_heap_size_used_bytes']) {
      expect(Number(values.get(name))).toBeGreaterThan(0);
    }
    expect(Math.abs(Number(values.get('process_start_time_seconds')) - Date.now() / 1000)).toBeLessThan(3600);
  });

  it('describes each metric once, before its value', () => {
    const lines = text.trimEnd().split('\n');
    expect(lines.length).toBe(values.size * 3);
    for (let i = 0; i < lines.length; i += 3) {
      const name = lines[i]?.split(' ')[2] ?? '';
      expect(lines[i]).toMatch(/^# HELP [a-z_]+ \S.*/);
      expect(lines[i + 1]).toMatch(new RegExp(`^# TYPE ${name} (counter|gauge)$`));
      expect(lines[i + 2]?.startsWith(name)).toBe(true);
    }
  });
});
