import { performance } from 'node:perf_hooks';
import { LINK } from '@reins/shared/link/limits';
import { systemClock } from '@reins/shared/util';
import { type Socket } from 'socket.io-client';
import { type Options } from './options';
import { type BenchHarness, eventText, markedEvent } from './support/bench-harness';
import { countingCommands } from './support/counted-subject';
import { type FloorServer, startFloorServer } from './support/floor-server';
import { type Contender, interleave, type Samples } from './support/interleave';
import { loopDelayP99Ms } from './support/loop-delay';
import { atLeast, atMost, type Measure, type RowReport } from './support/report';
import { distribution } from './support/stats';
import { Subject } from './support/subject';

const SESSIONS = 16;
const SLICE_MS = 300;
const WARM_UP = 3;
const COUNTED_MS = 2_000;
const RATE = 'events durable a second';

type Send = () => Promise<unknown>;

export async function throughput(options: Options): Promise<RowReport> {
  const subject = await Subject.start(options.profileDir);
  const floor = await startFloorServer(subject.database);
  try {
    const sends = await prompted(subject, await subject.sessions(SESSIONS));
    const floorSends = await floorSenders(floor);
    const contenders = [slices('ours', subject.pid, sends), slices('floor', floor.pid, floorSends)];
    await interleave(contenders, { warmUp: WARM_UP, iterations: 0 });
    await subject.measure();
    const samples = await interleave(contenders, { warmUp: 0, iterations: 30 });
    const loopDelayMs = await loopDelayP99Ms(subject.controller.url);
    return report(samples, loopDelayMs, await roundTrips());
  } finally {
    await floor.stop();
    await subject.stop();
  }
}

/** Batches as the link makes them at most, of the same events for both sides. */
function batch<T>(make: (marker: number) => T): T[] {
  return Array.from({ length: LINK.batchEvents }, (_, index) => make(1_000_000 + index));
}

/** Every session gets a turn whose caller has hung up; what remains is ingest. */
async function prompted(subject: Subject, harnesses: readonly BenchHarness[]): Promise<Send[]> {
  return Promise.all(
    harnesses.map(async (harness) => {
      const opening = subject.http.open('POST', `/sessions/${harness.sessionId}/stream`, { prompt: 'go' });
      const turn = await harness.scripted.take();
      (await opening).destroy();
      return () => harness.send(batch((marker) => markedEvent(turn, marker)));
    }),
  );
}

async function floorSenders(floor: FloorServer): Promise<Send[]> {
  const sockets = await Promise.all(Array.from({ length: SESSIONS }, () => floor.connect()));
  return sockets.map((socket: Socket, index) => {
    let from = 1;
    return () => {
      const first = from;
      from += LINK.batchEvents;
      const turnId = 'req-00000000000000000000000000';
      const items = batch((marker) => ({
        at: new Date().toISOString(),
        turnId,
        generation: 1,
        type: 'text',
        data: { text: eventText(marker) },
      }));
      const numbered = items.map((item, offset) => ({ ...item, n: first + offset }));
      return socket.emitWithAck('events', { sessionId: `b3-${index}`, from: first, items: numbered });
    };
  });
}

/** For a while every session has one batch in flight; what was acknowledged counts. */
async function pump(sends: readonly Send[], ms: number): Promise<{ events: number; tookMs: number }> {
  const startedAt = performance.now();
  let events = 0;
  await Promise.all(
    sends.map(async (send) => {
      while (performance.now() - startedAt < ms) {
        await send();
        events += LINK.batchEvents;
      }
    }),
  );
  return { events, tookMs: performance.now() - startedAt };
}

function slices(who: string, pid: number, sends: readonly Send[]): Contender {
  return {
    who,
    pids: [pid],
    once: async () => {
      const { events, tookMs } = await pump(sends, SLICE_MS);
      return { [RATE]: (events * 1000) / tookMs, events };
    },
    settle: () => systemClock.sleep(20),
  };
}

/** Commands to the database, and the events they made durable. */
function roundTrips(): Promise<{ events: number; commands: number } | undefined> {
  return countingCommands({}, async (subject, commands) => {
    const sends = await prompted(subject, await subject.sessions(SESSIONS));
    const before = commands();
    const { events } = await pump(sends, COUNTED_MS);
    return { events, commands: commands() - before };
  });
}

function report(
  samples: Map<string, Samples>,
  loopDelayMs: number,
  counted: { events: number; commands: number } | undefined,
): RowReport {
  const measures = [...samples].map(([who, { values, cpu }]): Measure => {
    const rates = distribution(values[RATE] ?? []);
    const events = (values['events'] ?? []).reduce((sum, count) => sum + count, 0);
    const cpuMs = cpu.reduce((sum, ms) => sum + ms, 0) / events;
    return { what: RATE, who, unit: 'events/s', ...rates, cpuMs, ...(who === 'ours' && { loopDelayMs }) };
  });
  const p50 = (who: string): number => measures.find((measure) => measure.who === who)?.p50 ?? NaN;
  const limit = 1 / 20;
  return {
    id: 'b3',
    title: 'Throughput: sustained events, one controller, durable',
    measures,
    verdicts: [
      atLeast('ours / floor, p50', (100 * p50('ours')) / p50('floor'), 60, ' %'),
      ...(counted === undefined
        ? []
        : [atMost('database round trips / events', counted.commands / counted.events, limit, '')]),
    ],
    notes: [
      `${SESSIONS} sessions with one batch of ${LINK.batchEvents} events of 120 characters in flight each, in slices of ${SLICE_MS} ms, whose rates the percentiles are of. Floor: socket batch → insertMany of one segment → ack.`,
      counted === undefined
        ? 'SKIPPED: database round trips are counted on the embedded engine only.'
        : `${counted.commands} commands reached the database for ${counted.events} events.`,
    ],
  };
}
