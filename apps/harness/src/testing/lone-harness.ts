import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../config/load-config';
import { Harness } from '../harness';
import { type Exit } from '../lifecycle/exit-codes';
import { AGENT_ID, SECRET } from '../link/testing/scripted-peer';
import { createLogger, Secrets } from '../log/logger';
import { ClientCounters } from '../metrics/counters';
import { ManualClock, realUntil } from './manual-clock';

export interface LoneHarness {
  harness: Harness;
  exit: Promise<Exit>;
  clock: ManualClock;
  counters: ClientCounters;
  secrets: Secrets;
  folder: string;
  lines: string[];
  /** The log lines with this message, parsed. */
  logged: (message: string) => Record<string, unknown>[];
  until: (what: string, condition: () => boolean) => Promise<void>;
  count: (metric: string) => number;
}

const running: { harness: Harness; exit: Promise<Exit>; folder: string }[] = [];

/** Ends what the test started; for `afterEach`. */
export async function endLoneHarnesses(): Promise<void> {
  for (const { harness, exit, folder } of running.splice(0)) {
    await Promise.all([harness.stop('test over'), exit]);
    rmSync(folder, { recursive: true, force: true });
  }
}

export const newFolder = (): string => mkdtempSync(join(tmpdir(), 'reins-lone-'));

/** An autonomous harness by its environment, with a clock of the test's. It serves no sessions. */
export function loneHarness(environment: Record<string, string>, folder = newFolder()): LoneHarness {
  const clock = new ManualClock();
  const counters = new ClientCounters(clock);
  const secrets = new Secrets();
  const lines: string[] = [];
  const env = { AIWM_AGENT_ID: AGENT_ID, AIWM_AGENT_SECRET: SECRET, REINS_DRAIN_SECONDS: '0', ...environment };
  const config = loadConfig([], env, folder);
  secrets.addNamed(config.env);
  const harness = new Harness({
    config,
    version: '0.0.0',
    incarnation: `inc-${running.length}-${Date.now()}`,
    supportedTypes: [],
    loadDriver: () => Promise.reject(new Error('there are no drivers here')),
    log: createLogger({ level: 'debug', secrets, write: (line) => lines.push(line) }),
    secrets,
    counters,
    clock,
    rng: { next: () => 0.5 },
  });
  const exit = harness.run();
  running.push({ harness, exit, folder });
  const logged = (message: string): Record<string, unknown>[] =>
    lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === message);
  return {
    harness,
    exit,
    clock,
    counters,
    secrets,
    folder,
    lines,
    logged,
    until: (what, condition) => realUntil(what, condition, () => lines.slice(-5).join('')),
    count: (metric) => counters.values.find(({ name }) => name === metric)?.value ?? NaN,
  };
}
