import { performance } from 'node:perf_hooks';
import { newId } from '@reins/shared/ids';
import { systemClock } from '@reins/shared/util';
import { type Options } from './options';
import { startBullmq } from './support/bullmq';
import { type BenchHarness } from './support/bench-harness';
import { startFloorServer, type FloorServer } from './support/floor-server';
import { HttpClient } from './support/http';
import { type Contender, interleave, type Samples } from './support/interleave';
import { loopDelayP99Ms } from './support/loop-delay';
import { atMost, type Measure, type RowReport } from './support/report';
import { distribution, median } from './support/stats';
import { Subject } from './support/subject';

/** Node needs hundreds of rounds until it has compiled what is hot. */
const WARM_UP = 300;
/** Long enough for the next pull to be held, or the next worker to wait. */
const PAUSE_MS = 8;
const WHAT = 'prompt sent → harness holds the turn';
const PROMPT = 'Say what this repository is about, in one sentence.';

export async function dispatch(options: Options): Promise<RowReport> {
  const subject = await Subject.start(options.profileDir);
  const floor = await startFloorServer(subject.database);
  const peers = await startBullmq();
  try {
    const [harness] = await subject.sessions(1);
    const floorSide = await floorContender(floor);
    const contenders = [ours(subject, harness as BenchHarness), floorSide, ...peers.contenders];
    await interleave(contenders, { warmUp: WARM_UP, iterations: 0 });
    await subject.measure();
    const samples = await interleave(contenders, { warmUp: 0, iterations: options.iterations });
    const loopDelayMs = await loopDelayP99Ms(subject.controller.url);
    return report(samples, loopDelayMs, peers.notes);
  } finally {
    await peers.stop();
    await floor.stop();
    await subject.stop();
  }
}

function ours(subject: Subject, harness: BenchHarness): Contender {
  const pull = (): ReturnType<typeof harness.scripted.pull> => {
    const held = harness.scripted.pull();
    // The last one is cut off when the run ends.
    held.catch(() => undefined);
    return held;
  };
  let held = pull();
  let settle: () => Promise<void> = async () => undefined;
  return {
    who: 'ours',
    pids: [subject.pid],
    once: async () => {
      const started = performance.now();
      const opening = subject.http.open('POST', `/sessions/${harness.sessionId}/stream`, { prompt: PROMPT });
      const turn = await held;
      const ms = performance.now() - started;
      settle = async () => {
        const stream = await opening;
        stream.resume();
        await harness.scripted.call('turn.started', harness.scripted.about(turn));
        const ended = new Promise((resolve) => stream.once('close', resolve));
        await harness.end(turn);
        await ended;
        held = pull();
        await systemClock.sleep(PAUSE_MS);
      };
      return { [WHAT]: ms };
    },
    settle: () => settle(),
  };
}

async function floorContender(floor: FloorServer): Promise<Contender> {
  const http = new HttpClient(floor.url);
  const socket = await floor.connect();
  let answered: Promise<unknown> = Promise.resolve();
  return {
    who: 'floor',
    pids: [floor.pid],
    once: async () => {
      const holds = new Promise<void>((resolve, reject) => {
        socket.once('wake', () => {
          socket
            .emitWithAck('pull')
            .then((job) => (job === null ? reject(new Error('nothing to pull')) : resolve()), reject);
        });
      });
      const started = performance.now();
      answered = http.call('POST', '/', { id: newId('turn'), prompt: PROMPT });
      await holds;
      return { [WHAT]: performance.now() - started };
    },
    settle: async () => {
      await answered;
      await systemClock.sleep(PAUSE_MS);
    },
  };
}

function report(samples: Map<string, Samples>, loopDelayMs: number, notes: string[]): RowReport {
  const measures = [...samples].map(([who, { values, cpu }]): Measure => {
    const times = distribution(values[WHAT] ?? []);
    return { what: WHAT, who, unit: 'ms', ...times, cpuMs: median(cpu), ...(who === 'ours' && { loopDelayMs }) };
  });
  const p50 = (who: string): number => measures.find((measure) => measure.who === who)?.p50 ?? NaN;
  const own = measures.find(({ who }) => who === 'ours') as Measure;
  const peers = [...samples.keys()].filter((who) => who.startsWith('BullMQ'));
  return {
    id: 'b1',
    title: 'Dispatch: prompt accepted → harness holds the turn (warm)',
    measures,
    verdicts: [
      atMost('ours / floor, p50', own.p50 / p50('floor'), 1.5, '×'),
      ...peers.map((who) => atMost(`ours / ${who}, p50`, own.p50 / p50(who), 1, '×')),
      atMost('p99', own.p99, 20, ' ms'),
    ],
    notes: [
      'Floor: HTTP POST → insertOne → socket wake → socket request → findOneAndUpdate → ack. CPU is the server process’s from sending to holding.',
      ...notes,
    ],
  };
}
