import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { HARNESS_ENV } from '@reins/shared/link/limits';
import { systemClock } from '@reins/shared/util';
import { type Options } from './options';
import { type FloorServer, startFloorServer } from './support/floor-server';
import { type Contender, interleave, type Samples } from './support/interleave';
import { rssMiB, cpuMs } from './support/process-usage';
import { chosenEnvironment, startProgram } from './support/program';
import { atMost, type Measure, type RowReport } from './support/report';
import { distribution } from './support/stats';
import { Subject } from './support/subject';

const ROOT = join(__dirname, '../..');
const HARNESS = join(ROOT, 'dist/apps/harness/main.js');
/** The least that connects a socket.io client. */
const FLOOR_CLIENT = `
const socket = require('socket.io-client').io(process.argv[1], { transports: ['websocket'] });
socket.on('connect', () => process.stdout.write('connected to the controller'));
`;
const CONNECTED = /connected to the controller/;
const ITERATIONS = 30;
const WARM_UP = 2;
/** Memory is read when the process has come to rest. */
const REST_MS = 250;
const TIME = 'process started → connected';
const MEMORY = 'resident memory when connected';
const CPU = 'cpu';

export async function harnessStart(options: Options): Promise<RowReport> {
  const subject = await Subject.start(options.profileDir);
  const floor = await startFloorServer(subject.database);
  const directory = mkdtempSync(join(tmpdir(), 'reins-bench-'));
  try {
    const contenders = [await ours(subject, directory), bare(floor)];
    return report(await interleave(contenders, { warmUp: WARM_UP, iterations: ITERATIONS }));
  } finally {
    await floor.stop();
    await subject.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function ours(subject: Subject, directory: string): Promise<Contender> {
  const { agentId, secret } = await subject.credentials();
  const env = {
    ...chosenEnvironment(),
    [HARNESS_ENV.baseUrl]: subject.controller.url,
    [HARNESS_ENV.agentId]: agentId,
    [HARNESS_ENV.agentSecret]: secret,
    [HARNESS_ENV.workspace]: join(directory, 'workspace'),
    [HARNESS_ENV.stateDir]: join(directory, 'state'),
  };
  return starts('ours', [process.execPath, HARNESS], env);
}

function bare(floor: FloorServer): Contender {
  return starts('floor', [process.execPath, '-e', FLOOR_CLIENT, floor.url], chosenEnvironment());
}

function starts(who: string, command: readonly string[], env: Record<string, string>): Contender {
  let stop: () => Promise<void> = async () => undefined;
  return {
    who,
    pids: [],
    once: async () => {
      const startedAt = performance.now();
      const program = await startProgram(command, CONNECTED, { env, cwd: ROOT });
      const ms = performance.now() - startedAt;
      const cpu = cpuMs(program.pid);
      stop = () => program.stop();
      await systemClock.sleep(REST_MS);
      return { [TIME]: ms, [MEMORY]: rssMiB(program.pid), [CPU]: cpu };
    },
    settle: () => stop(),
  };
}

function report(samples: Map<string, Samples>): RowReport {
  const measures: Measure[] = [];
  for (const [who, { values }] of samples) {
    const of = (name: string) => distribution(values[name] ?? []);
    measures.push({ what: TIME, who, unit: 'ms', ...of(TIME), cpuMs: of(CPU).p50 });
    measures.push({ what: MEMORY, who, unit: 'MiB', ...of(MEMORY) });
  }
  measures.sort((a, b) => b.what.localeCompare(a.what));
  const p50 = (what: string, who: string): number =>
    measures.find((one) => one.what === what && one.who === who)?.p50 ?? NaN;
  return {
    id: 'b15',
    title: 'Harness start → connected, and its memory',
    measures,
    verdicts: [
      atMost('start → connected, p50', p50(TIME, 'ours'), 300, ' ms'),
      atMost('start, ours / floor, p50', p50(TIME, 'ours') / p50(TIME, 'floor'), 1.5, '×'),
      atMost('memory, ours / floor, p50', p50(MEMORY, 'ours') / p50(MEMORY, 'floor'), 1.5, '×'),
    ],
    notes: [
      'Ours: the built harness from its start to the answered hello (HTTP connect, socket, hello). Floor: node, require socket.io-client, connect. CPU is the started process’s until then.',
    ],
  };
}
