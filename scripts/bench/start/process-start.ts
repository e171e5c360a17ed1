import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { newObjectId } from '@reins/shared/ids';
import { HARNESS_ENV } from '@reins/shared/link/limits';
import { HarnessPeer } from '../floor/harness-peer';
import { type Options } from '../options';
import { HARNESS, REAL_HARNESS } from '../support/built-harness';
import { countingCommands } from '../support/counted-subject';
import { startFloorServer } from '../support/floor-server';
import { type Contender, interleave } from '../support/interleave';
import { loopDelayP99Ms } from '../support/loop-delay';
import { chosenEnvironment, startProgram } from '../support/program';
import { type Measure, type Part } from '../support/report';
import { SessionEvents } from '../support/session-events';
import { distribution, figure, median } from '../support/stats';
import { Subject } from '../support/subject';
import { ourPart } from './our-part';

const ROOT = join(__dirname, '../../..');
/** The least that connects a socket.io client. */
const FLOOR_CLIENT = `
const socket = require('socket.io-client').io(process.argv[1], { transports: ['websocket'] });
socket.on('connect', () => process.stdout.write('connected'));
`;
const WARM_UP = 3;
const ITERATIONS = 30;
const COUNTED = 10;
const OURS = 'process: POST /sessions → active';
const HARNESS_ALONE = 'process: harness alone, started → ready';
const BARE = 'process: bare spawn + connect';

export async function processStart(options: Options): Promise<Part> {
  const subject = await Subject.start(options.profileDir, REAL_HARNESS);
  const floor = await startFloorServer(subject.database);
  const peer = await HarnessPeer.start('127.0.0.1');
  const directory = mkdtempSync(join(tmpdir(), 'reins-bench-'));
  try {
    const contenders = [ours(subject, await subject.api.worker()), harnessAlone(peer, directory), bare(floor.url)];
    await interleave(contenders, { warmUp: WARM_UP, iterations: 0 });
    await subject.measure();
    const samples = await interleave(contenders, { warmUp: 0, iterations: ITERATIONS });
    const loopDelayMs = await loopDelayP99Ms(subject.controller.url);
    const measures = [...samples].flatMap(([who, { values, cpu }]) =>
      Object.entries(values).map(([what, times]): Measure => {
        const own = who === 'ours' && { cpuMs: median(cpu), loopDelayMs };
        return { what, who, unit: 'ms', ...distribution(times), ...own };
      }),
    );
    const p50 = (what: string): number => measures.find((measure) => measure.what === what)?.p50 ?? NaN;
    const trips = await roundTrips();
    const [total, alone, least] = [p50(OURS), p50(HARNESS_ALONE), p50(BARE)];
    return {
      measures,
      verdicts: [
        ourPart('process, create → active less the harness alone', total, alone),
        ourPart('process, create → active less a bare spawn + connect', total, least),
      ],
      notes: [
        `Process: of ${figure(total)} ms at p50 the controller’s part is ${figure(total - alone)} ms, the harness’s on top of a bare client ${figure(alone - least)} ms. The harness alone is the same program against a peer that answers everything at once.`,
        ...(trips === undefined
          ? []
          : [`${figure(trips)} commands reach the database for one session, its viewer’s included.`]),
      ],
    };
  } finally {
    await peer.stop();
    await floor.stop();
    await subject.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function ours(subject: Subject, workerId: string): Contender {
  const { http, api } = subject;
  let settle: () => Promise<unknown> = async () => undefined;
  return {
    who: 'ours',
    pids: [subject.pid],
    once: async () => {
      const started = performance.now();
      const { id } = JSON.parse(await http.call('POST', '/sessions', { workerId })) as { id: string };
      const events = await SessionEvents.follow(http, id);
      const active = await events.state('active');
      settle = async () => {
        await api.must('DELETE', `/sessions/${id}`);
        await events.state('ended');
        events.close();
      };
      return { [OURS]: active - started };
    },
    settle: async () => void (await settle()),
  };
}

/** Commands to the database from a create until the session is active; undefined where they cannot be counted. */
function roundTrips(): Promise<number | undefined> {
  return countingCommands(REAL_HARNESS, async (subject, commands) => {
    const contender = ours(subject, await subject.api.worker());
    const counts: number[] = [];
    for (let session = 0; session < COUNTED; session++) {
      const before = commands();
      await contender.once();
      counts.push(commands() - before);
      await contender.settle();
    }
    return median(counts);
  });
}

function harnessAlone(peer: HarnessPeer, directory: string): Contender {
  let stop: () => Promise<void> = async () => undefined;
  return {
    who: 'floor',
    pids: [],
    once: async () => {
      const agentId = newObjectId();
      const env = {
        ...chosenEnvironment(),
        [HARNESS_ENV.baseUrl]: `http://127.0.0.1:${peer.port}`,
        [HARNESS_ENV.agentId]: agentId,
        [HARNESS_ENV.agentSecret]: 'not looked at',
        [HARNESS_ENV.managed]: 'true',
        [HARNESS_ENV.workspace]: join(directory, agentId, 'workspace'),
        [HARNESS_ENV.stateDir]: join(directory, agentId, 'state'),
      };
      const ready = peer.ready(agentId);
      const started = performance.now();
      const program = await startProgram([process.execPath, HARNESS], /connected to the controller/, {
        env,
        cwd: ROOT,
      });
      stop = () => program.stop();
      return { [HARNESS_ALONE]: (await ready) - started };
    },
    settle: () => stop(),
  };
}

function bare(url: string): Contender {
  let stop: () => Promise<void> = async () => undefined;
  return {
    who: 'bare',
    pids: [],
    once: async () => {
      const command = [process.execPath, '-e', FLOOR_CLIENT, url];
      const started = performance.now();
      const program = await startProgram(command, /connected/, { env: chosenEnvironment(), cwd: ROOT });
      stop = () => program.stop();
      return { [BARE]: performance.now() - started };
    },
    settle: () => stop(),
  };
}
