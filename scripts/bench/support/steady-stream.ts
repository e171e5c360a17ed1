import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { type EventItem } from '@reins/shared/link/events';
import { systemClock } from '@reins/shared/util';
import { type BenchHarness, markedEvent, SelfClocked } from './bench-harness';
import { MarkerReader } from './http';
import { loopDelayP99Ms } from './loop-delay';
import { cpuMs } from './process-usage';
import { type Subject } from './subject';

const WARM_UP_MS = 2_000;
const TICK_MS = 1;
const DRAIN_WITHIN_MS = 20_000;
const DELAY_RESOLUTION_MS = 10;

export interface SteadyFigures {
  latencies: number[];
  /** Events per second that arrived while it was measured. */
  rate: number;
  cpuMsPerEvent: number;
  loopDelayMs: number;
  driverDelayMs: number;
  /** Events that did not arrive exactly once. */
  lost: number;
}

/** All sessions stream at a fixed rate, each to a viewer of its own; the clock of an event starts when the agent says it. */
export async function steadyStream(
  subject: Subject,
  harnesses: readonly BenchHarness[],
  { rate, seconds }: { rate: number; seconds: number },
): Promise<SteadyFigures> {
  const emittedAt: number[] = [];
  const seen: number[] = [];
  const latencies: number[] = [];
  let measuring = false;
  const onMarker = (marker: number): void => {
    seen[marker] = (seen[marker] ?? 0) + 1;
    if (measuring) latencies.push(performance.now() - (emittedAt[marker] ?? NaN));
  };
  const talkers = await Promise.all(harnesses.map((harness) => talker(subject, harness, onMarker)));

  const everyMs = 1000 / rate;
  const emit = (one: Talker): void => {
    const marker = emittedAt.push(performance.now()) - 1;
    one.channel.push(markedEvent(one.turn, marker));
  };
  const stop = new AbortController();
  const talking = talk(talkers, everyMs, emit, stop.signal);

  await systemClock.sleep(WARM_UP_MS);
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  await loopDelayP99Ms(subject.controller.url);
  const cpuBefore = cpuMs(subject.pid);
  const startedAt = performance.now();
  measuring = true;
  await systemClock.sleep(seconds * 1000);
  measuring = false;
  const tookMs = performance.now() - startedAt;
  const cpu = cpuMs(subject.pid) - cpuBefore;
  const loopDelayMs = await loopDelayP99Ms(subject.controller.url);
  delay.disable();

  stop.abort();
  await talking;
  await withDeadline(Promise.all(talkers.map((one) => one.finish())), 'the streams did not end');
  const once = emittedAt.filter((_, marker) => seen[marker] === 1).length;
  return {
    latencies,
    rate: (latencies.length * 1000) / tookMs,
    cpuMsPerEvent: cpu / Math.max(1, latencies.length),
    loopDelayMs,
    driverDelayMs: Math.max(0, delay.percentile(99) / 1e6 - DELAY_RESOLUTION_MS),
    lost: emittedAt.length - once,
  };
}

interface Talker {
  turn: Awaited<ReturnType<BenchHarness['scripted']['take']>>;
  channel: SelfClocked<Omit<EventItem, 'n'>>;
  finish: () => Promise<void>;
}

async function talker(subject: Subject, harness: BenchHarness, onMarker: (marker: number) => void): Promise<Talker> {
  const opening = subject.http.open('POST', `/sessions/${harness.sessionId}/stream`, { prompt: 'go' });
  const turn = await harness.scripted.take();
  const reader = new MarkerReader(await opening, onMarker);
  const channel = new SelfClocked<Omit<EventItem, 'n'>>((items) => harness.send(items));
  const finish = async (): Promise<void> => {
    await channel.drained();
    await harness.end(turn);
    await reader.ended;
  };
  return { turn, channel, finish };
}

/** Emits on schedule, whatever became of earlier events; phases are spread over the interval. */
async function talk(
  talkers: readonly Talker[],
  everyMs: number,
  emit: (one: Talker) => void,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  const due = talkers.map((_, index) => startedAt + (index * everyMs) / talkers.length);
  while (!signal.aborted) {
    const now = performance.now();
    for (const [index, one] of talkers.entries()) {
      if ((due[index] ?? Infinity) > now) continue;
      due[index] = Math.max((due[index] ?? now) + everyMs, now - everyMs);
      emit(one);
    }
    await systemClock.sleep(TICK_MS);
  }
}

async function withDeadline(work: Promise<unknown>, complaint: string): Promise<void> {
  const over = new AbortController();
  const late = systemClock.sleep(DRAIN_WITHIN_MS, over.signal).then(() => {
    throw new Error(`${complaint} within ${DRAIN_WITHIN_MS / 1000} s`);
  });
  late.catch(() => undefined);
  try {
    await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}
