import { readdirSync } from 'node:fs';
import { type HarnessStatus } from '../health/health-report';
import { type ClientCounters } from './counters';
import { type Metric } from './exposition';

const MICROSECONDS = 1_000_000;

/** Everything `/metrics` says, read at the moment it is asked. */
export function harnessMetrics(counters: ClientCounters, status: HarnessStatus, version: string): Metric[] {
  return [
    ...counters.values.map((counter): Metric => ({ ...counter, type: 'counter' })),
    gauge('reins_harness_connected', '1 while the controller hears this harness', status.connected ? 1 : 0),
    gauge('reins_harness_sessions', 'Sessions this harness serves', status.sessions),
    gauge('reins_harness_turns_running', 'Turns of these sessions at which an agent works', status.turnsRunning),
    { ...gauge('reins_harness_info', 'Which harness this is', 1), labels: { version, mode: status.mode } },
    ...processMetrics(),
  ];
}

/** The names Prometheus clients agree on. */
function processMetrics(): Metric[] {
  const { user, system } = process.cpuUsage();
  const memory = process.memoryUsage();
  const openFds = openFileDescriptors();
  return [
    seconds('process_cpu_user_seconds_total', 'User CPU time spent', user / MICROSECONDS),
    seconds('process_cpu_system_seconds_total', 'System CPU time spent', system / MICROSECONDS),
    seconds('process_cpu_seconds_total', 'User and system CPU time spent', (user + system) / MICROSECONDS),
    gauge('process_start_time_seconds', 'Start of the process since the Unix epoch', startTime()),
    gauge('process_resident_memory_bytes', 'Resident memory', memory.rss),
    ...(openFds === undefined ? [] : [gauge('process_open_fds', 'Open file descriptors', openFds)]),
    gauge('nodejs_heap_size_total_bytes', 'Size of the heap', memory.heapTotal),
    gauge('nodejs_heap_size_used_bytes', 'Used part of the heap', memory.heapUsed),
    gauge('nodejs_external_memory_bytes', 'Memory outside the heap that objects in it hold', memory.external),
    gauge(
      'nodejs_eventloop_utilization',
      'Share of its life the event loop was busy, 0 to 1',
      performance.eventLoopUtilization().utilization,
    ),
  ];
}

function gauge(name: string, help: string, value: number): Metric {
  return { name, type: 'gauge', help, value };
}

function seconds(name: string, help: string, value: number): Metric {
  return { name, type: 'counter', help, value };
}

function startTime(): number {
  return Math.round(Date.now() / 1000 - process.uptime());
}

function openFileDescriptors(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}
