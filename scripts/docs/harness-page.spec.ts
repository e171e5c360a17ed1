import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ControllerAddress,
  ControllerSwitch,
  Credentials,
  HarnessEnvironment,
} from '../../apps/harness/src/config/config.schema';
import { type HarnessStatus } from '../../apps/harness/src/health/health-report';
import { ClientCounters } from '../../apps/harness/src/metrics/counters';
import { harnessMetrics } from '../../apps/harness/src/metrics/harness-metrics';
import { ROOT } from './generated-pages';

const page = readFileSync(join(ROOT, 'docs/reference/harness.md'), 'utf8');
/** First and second column of every row that begins with a name in code. */
const rows = new Map(
  [...page.matchAll(/^\| `([^`]+)` +\| ([^|]*?) *\|/gm)].map(([, name = '', second = '']) => [name, second]),
);
const schemas = [ControllerSwitch, ControllerAddress, Credentials, HarnessEnvironment];
const variables = schemas.flatMap((schema) => Object.keys(schema.shape));

describe('docs/reference/harness.md', () => {
  it.each(variables)('has %s', (name) => {
    expect([...rows.keys()]).toContain(name);
  });

  it.each(Object.entries({ ...HarnessEnvironment.parse({}), ...ControllerSwitch.parse({}) }))(
    'names the real default of %s',
    (name, value) => {
      expect(rows.get(name)).toBe(`\`${String(value)}\``);
    },
  );

  it('has no default for what is unset without one', () => {
    const unset = variables.filter((name) => !(name in HarnessEnvironment.parse({})) && name !== 'AIWM_ENABLED');
    for (const name of unset) expect([name, rows.get(name)]).toEqual([name, '']);
  });

  it('names every metric and its kind', () => {
    const status: HarnessStatus = {
      phase: 'working',
      connected: true,
      mode: 'remote',
      configVersion: '',
      sessions: 0,
      turnsRunning: 0,
    };
    for (const { name, type } of harnessMetrics(new ClientCounters(), status, '1')) {
      expect(page).toContain(`\`${name}\``);
      if (rows.has(name)) expect([name, rows.get(name)]).toEqual([name, type]);
    }
  });
});
