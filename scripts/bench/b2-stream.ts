import { performance } from 'node:perf_hooks';
import { systemClock } from '@reins/shared/util';
import { type Options } from './options';
import { type BenchHarness, eventText, markedEvent } from './support/bench-harness';
import { type FloorServer, startFloorServer } from './support/floor-server';
import { HttpClient, MarkerReader } from './support/http';
import { type Contender, interleave, type Samples } from './support/interleave';
import { loopDelayP99Ms } from './support/loop-delay';
import { atMost, type Measure, type RowReport } from './support/report';
import { distribution, median } from './support/stats';
import { type SteadyFigures, steadyStream } from './support/steady-stream';
import { Subject } from './support/subject';

const WARM_UP = 60;
const FIRST = 'first event → SSE bytes at the client';
const PACED = 'each event, 5 ms apart';
const PACED_EVENTS = 10;
const PACE_MS = 5;

export async function firstToken(options: Options): Promise<RowReport> {
  const subject = await Subject.start(options.profileDir);
  const floor = await startFloorServer(subject.database);
  try {
    const [one, ...others] = await subject.sessions(options.sessions + 1);
    const contenders = [ours(subject, one as BenchHarness), await floorContender(floor)];
    await interleave(contenders, { warmUp: WARM_UP, iterations: 0 });
    await subject.measure();
    const samples = await interleave(contenders, { warmUp: 0, iterations: options.iterations });
    const calmDelayMs = await loopDelayP99Ms(subject.controller.url);
    const steady = await steadyStream(subject, others, options);
    return report(samples, calmDelayMs, steady, options);
  } finally {
    await floor.stop();
    await subject.stop();
  }
}

let marker = 0;

/** Times one event from its emission to its bytes at the client. */
async function timed(reader: MarkerReader, send: (marker: number) => Promise<unknown>): Promise<number> {
  const mark = ++marker;
  const seen = reader.seen(mark);
  const started = performance.now();
  const sent = send(mark);
  await seen;
  const ms = performance.now() - started;
  await sent;
  return ms;
}

/** The first event of a turn, then some at the pace of an agent that talks. */
async function series(
  reader: MarkerReader,
  send: (marker: number) => Promise<unknown>,
): Promise<Record<string, number>> {
  const first = await timed(reader, send);
  const paced: number[] = [];
  for (let index = 0; index < PACED_EVENTS; index++) {
    await systemClock.sleep(PACE_MS);
    paced.push(await timed(reader, send));
  }
  return { [FIRST]: first, ...Object.fromEntries(paced.map((ms, index) => [`${PACED} ${index}`, ms])) };
}

function ours(subject: Subject, harness: BenchHarness): Contender {
  let end: () => Promise<void> = async () => undefined;
  const open = async (): Promise<() => Promise<Record<string, number>>> => {
    const opening = subject.http.open('POST', `/sessions/${harness.sessionId}/stream`, { prompt: 'go' });
    const turn = await harness.scripted.take();
    const reader = new MarkerReader(await opening);
    end = async () => {
      await harness.end(turn);
      await reader.ended;
    };
    return () => series(reader, (mark) => harness.send([markedEvent(turn, mark)]));
  };
  let ready = open();
  return {
    who: 'ours',
    pids: [subject.pid],
    once: async () => (await ready)(),
    settle: async () => {
      await end();
      ready = open();
      await ready;
      await systemClock.sleep(PACE_MS);
    },
  };
}

async function floorContender(floor: FloorServer): Promise<Contender> {
  const http = new HttpClient(floor.url);
  const socket = await floor.connect();
  const reader = new MarkerReader(await http.open('GET', '/one'));
  let from = 1;
  const send = (mark: number): Promise<unknown> => {
    const data = { text: eventText(mark) };
    const item = {
      n: from,
      at: new Date().toISOString(),
      turnId: 'req-00000000000000000000000000',
      generation: 1,
      type: 'text',
      data,
    };
    return socket.emitWithAck('events', { sessionId: 'one', from: from++, items: [item] });
  };
  return {
    who: 'floor',
    pids: [floor.pid],
    once: () => series(reader, send),
    settle: () => systemClock.sleep(PACE_MS),
  };
}

function report(
  samples: Map<string, Samples>,
  calmDelayMs: number,
  steady: SteadyFigures,
  options: Options,
): RowReport {
  const measures: Measure[] = [];
  for (const [who, { values, cpu }] of samples) {
    const paced = Object.keys(values).flatMap((name) => (name.startsWith(PACED) ? (values[name] ?? []) : []));
    const own = who === 'ours' ? { loopDelayMs: calmDelayMs } : {};
    const perEvent = median(cpu) / (PACED_EVENTS + 1);
    measures.push({ what: FIRST, who, unit: 'ms', ...distribution(values[FIRST] ?? []) });
    measures.push({ what: PACED, who, unit: 'ms', ...distribution(paced), cpuMs: perEvent, ...own });
  }
  measures.sort((a, b) => b.what.localeCompare(a.what));
  const p50 = (what: string, who: string): number =>
    measures.find((one) => one.what === what && one.who === who)?.p50 ?? NaN;
  const { latencies, cpuMsPerEvent, loopDelayMs, driverDelayMs, rate, lost } = steady;
  const what = `steady, ${options.sessions} sessions × ${options.rate} events/s`;
  const times = distribution(latencies);
  measures.push({ what, who: 'ours', unit: 'ms', ...times, cpuMs: cpuMsPerEvent, loopDelayMs });
  return {
    id: 'b2',
    title: 'Stream: harness event → SSE bytes at the client, durable first',
    measures,
    verdicts: [
      atMost('first event, ours / floor, p50', p50(FIRST, 'ours') / p50(FIRST, 'floor'), 2, '×'),
      atMost('each event 5 ms apart, ours / floor, p50', p50(PACED, 'ours') / p50(PACED, 'floor'), 2, '×'),
      atMost(`${what}, p99`, times.p99, 35, ' ms'),
      { what: 'events lost or doubled', value: String(lost), goal: '0', met: lost === 0 },
    ],
    notes: [
      'Floor: socket event → insertMany of one segment → one HTTP chunk. CPU is the server process’s per event.',
      `In the steady part ${Math.round(rate)} events/s arrived; the driver's own event loop was late by ${driverDelayMs.toFixed(1)} ms at its 99th percentile, which is in the figures.`,
    ],
  };
}
