import { performance } from 'node:perf_hooks';
import { newId } from '@reins/shared/ids';
import { systemClock } from '@reins/shared/util';
import { type Credentials, type ScriptedHarness } from '../../test/support/scripted-harness';
import { type Options } from './options';
import { connectOverHttp, copiesOf, fullAgent, openSocket, sayHello, TOKEN_SECRET } from './support/agents';
import { type FloorServer, startFloorServer } from './support/floor-server';
import { HttpClient } from './support/http';
import { type Contender, interleave, type Samples } from './support/interleave';
import { loopDelayP99Ms } from './support/loop-delay';
import { cpuMs } from './support/process-usage';
import { atLeast, atMost, type Measure, type RowReport } from './support/report';
import { distribution } from './support/stats';
import { Subject } from './support/subject';

const CALLERS = 64;
const SLICE_MS = 300;
const SLICES = 30;
const WARM_UP = 6;
const RATE = 'connects a second';

const STORM = 1000;
/** Arrivals of the spread storm; what is left of ten seconds is for those that are told to come back. */
const SPREAD_MS = 8_000;
const STORM_GOAL_MS = 10_000;
const LOOP_GOAL_MS = 100;
const SUBSIDE_MS = 60_000;
const HELLO = 'agent begins → hello answered';
/** First connects whose secret has no proof yet. */
const COLD = 1000;
const COLD_AT_ONCE = 50;

interface Storm {
  what: string;
  /** Whether agents arrive one after the other; a thousand in the same instant are one long turn of the event loop. */
  isSpread: boolean;
  /** Of each agent that made it. */
  times: number[];
  failures: string[];
  tookMs: number;
  deferrals: number;
  loopDelayMs: number;
  cpuMs: number;
  /** The driver's own event loop, which is in the figures. */
  driverLateMs: number;
}

export async function agentConnects(options: Options): Promise<RowReport> {
  const env = { JWT_SECRET: TOKEN_SECRET, LOG_LEVEL: 'warn', ...unthrottled() };
  const subject = await Subject.start(options.profileDir, env);
  const floor = await startFloorServer(subject.database);
  const http = new HttpClient(subject.controller.url);
  const floorHttp = new HttpClient(floor.url);
  try {
    const agent = await fullAgent(subject);
    const contenders = [
      slices('ours', subject.pid, await ourConnects(subject, http, agent)),
      slices('floor', floor.pid, await floorHellos(subject, floor, floorHttp, agent)),
    ];
    await interleave(contenders, { warmUp: WARM_UP, iterations: 0 });
    await subject.measure();
    const samples = await interleave(contenders, { warmUp: 0, iterations: SLICES });
    const loopDelayMs = await loopDelayP99Ms(subject.controller.url);
    const storms = [
      await storm(subject, 'storm, 1000 agents at once', await copiesOf(subject, agent, STORM), 0),
      await storm(subject, 'storm, 1000 agents within 8 s', await copiesOf(subject, agent, STORM), SPREAD_MS),
    ];
    const cold = await coldConnects(subject, http, await copiesOf(subject, agent, COLD, { cold: true }));
    return report(samples, loopDelayMs, storms, cold);
  } finally {
    http.close();
    floorHttp.close();
    await floor.stop();
    await subject.stop();
  }
}

/** All agents share one address here, and none of them fails. */
function unthrottled(): Record<string, string> {
  return { CONNECT_FAILURES_PER_ADDRESS: '1000000' };
}

/** Every caller is an agent of its own that connects again and again, as with a new token. */
async function ourConnects(
  subject: Subject,
  http: HttpClient,
  agent: Credentials,
): Promise<(() => Promise<unknown>)[]> {
  const agents = await copiesOf(subject, agent, CALLERS);
  return agents.map((one) => {
    const incarnation = newId('incarnation');
    return () => connectOverHttp(http, one, incarnation);
  });
}

async function floorHellos(
  subject: Subject,
  floor: FloorServer,
  http: HttpClient,
  { agentId }: Credentials,
): Promise<(() => Promise<unknown>)[]> {
  const ours = subject.database.client.db(subject.database.name);
  const theirs = subject.database.client.db(floor.name);
  const agent = await ours.collection<{ _id: string; instructionId: string }>('agents').findOne({ _id: agentId });
  const instructionId = agent?.instructionId ?? '';
  const instruction = await ours.collection<{ _id: string }>('instructions').findOne({ _id: instructionId });
  if (agent === null || instruction === null) throw new Error('the agent to copy is not in the database');
  const ids = Array.from({ length: CALLERS }, () => newId('session'));
  await theirs.collection<{ _id: string }>('agents').insertMany(ids.map((_id) => ({ ...agent, _id })));
  await theirs.collection<{ _id: string }>('instructions').insertOne(instruction);
  return ids.map((id) => () => http.call('POST', '/connect', { id, secret: 'x'.repeat(64) }));
}

function slices(who: string, pid: number, calls: readonly (() => Promise<unknown>)[]): Contender {
  return {
    who,
    pids: [pid],
    once: async () => {
      const startedAt = performance.now();
      let connects = 0;
      await Promise.all(
        calls.map(async (call) => {
          while (performance.now() - startedAt < SLICE_MS) {
            await call();
            connects++;
          }
        }),
      );
      return { [RATE]: (connects * 1000) / (performance.now() - startedAt), connects };
    },
    settle: () => systemClock.sleep(20),
  };
}

/** Every agent connects by HTTP, opens its socket and says hello; then all stay a moment and go. */
async function storm(subject: Subject, what: string, agents: Credentials[], spreadMs: number): Promise<Storm> {
  const { url } = subject.controller;
  const http = new HttpClient(url);
  const harnesses: ScriptedHarness[] = [];
  const result: Storm = {
    what,
    isSpread: spreadMs > 0,
    times: [],
    failures: [],
    tookMs: 0,
    deferrals: 0,
    loopDelayMs: 0,
    cpuMs: 0,
    driverLateMs: 0,
  };
  await loopDelayP99Ms(url);
  const cpuBefore = cpuMs(subject.pid);
  const late = watchOwnLoop();
  const startedAt = performance.now();
  await Promise.all(
    agents.map(async (agent, index) => {
      await systemClock.sleep((index * spreadMs) / agents.length);
      const began = performance.now();
      try {
        const incarnation = newId('incarnation');
        const configuration = await connectOverHttp(http, agent, incarnation);
        const { harness, deferrals } = await openSocket(url, agent, incarnation, configuration);
        harnesses.push(harness);
        await sayHello(harness);
        result.deferrals += deferrals;
        result.times.push(performance.now() - began);
      } catch (error) {
        result.failures.push(error instanceof Error ? error.message : String(error));
      }
    }),
  );
  result.tookMs = performance.now() - startedAt;
  result.driverLateMs = await late();
  result.loopDelayMs = await loopDelayP99Ms(url);
  result.cpuMs = (cpuMs(subject.pid) - cpuBefore) / agents.length;
  const lost = harnesses.filter(({ socket }) => !socket.connected).length;
  if (lost > 0) result.failures.push(`${lost} sockets were closed again`);
  for (const harness of harnesses) harness.close();
  http.close();
  await subside(subject, agents);
  return result;
}

/** That the agents of a storm go offline, after their grace, is not the business of what is measured next. */
async function subside(subject: Subject, agents: Credentials[]): Promise<void> {
  const rows = subject.database.client.db(subject.database.name).collection<{ _id: string; online: boolean }>('agents');
  const left = { _id: { $in: agents.map(({ agentId }) => agentId) }, online: true };
  const deadline = performance.now() + SUBSIDE_MS;
  while ((await rows.countDocuments(left)) > 0) {
    if (performance.now() > deadline) throw new Error('agents whose sockets are closed are still online');
    await systemClock.sleep(500);
  }
}

async function coldConnects(
  subject: Subject,
  http: HttpClient,
  agents: Credentials[],
): Promise<{ tookMs: number; loopDelayMs: number; cpuMs: number; times: number[] }> {
  await loopDelayP99Ms(subject.controller.url);
  const cpuBefore = cpuMs(subject.pid);
  const times: number[] = [];
  const waiting = [...agents];
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: COLD_AT_ONCE }, async () => {
      for (let agent = waiting.pop(); agent !== undefined; agent = waiting.pop()) {
        const began = performance.now();
        await connectOverHttp(http, agent);
        times.push(performance.now() - began);
      }
    }),
  );
  const tookMs = performance.now() - startedAt;
  const loopDelayMs = await loopDelayP99Ms(subject.controller.url);
  return { tookMs, loopDelayMs, cpuMs: (cpuMs(subject.pid) - cpuBefore) / agents.length, times };
}

/** How late the driver's own timers were, at the 99th percentile. */
function watchOwnLoop(): () => Promise<number> {
  const EVERY_MS = 10;
  const late: number[] = [];
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      const began = performance.now();
      await systemClock.sleep(EVERY_MS);
      late.push(Math.max(0, performance.now() - began - EVERY_MS));
    }
  })();
  return async () => {
    over.abort();
    await watching;
    return distribution(late).p99;
  };
}

function report(
  samples: Map<string, Samples>,
  loopDelayMs: number,
  storms: Storm[],
  cold: Awaited<ReturnType<typeof coldConnects>>,
): RowReport {
  const rates = [...samples].map(([who, { values, cpu }]): Measure => {
    const connects = (values['connects'] ?? []).reduce((sum, count) => sum + count, 0);
    const each = cpu.reduce((sum, ms) => sum + ms, 0) / connects;
    const loop = who === 'ours' ? { loopDelayMs } : {};
    return { what: RATE, who, unit: 'connects/s', ...distribution(values[RATE] ?? []), cpuMs: each, ...loop };
  });
  const p50 = (who: string): number => rates.find((measure) => measure.who === who)?.p50 ?? NaN;
  const stormy = storms.map(({ what, times, ...one }): Measure => ({
    what: `${what}: ${HELLO}`,
    who: 'ours',
    unit: 'ms',
    ...distribution(times),
    cpuMs: one.cpuMs,
    loopDelayMs: one.loopDelayMs,
  }));
  const first: Measure = {
    what: `first connects without a proof, ${COLD_AT_ONCE} in flight`,
    who: 'ours',
    unit: 'ms',
    ...distribution(cold.times),
    cpuMs: cold.cpuMs,
    loopDelayMs: cold.loopDelayMs,
  };
  return {
    id: 'b14',
    title: 'Agents connecting: full configuration, a storm of 1,000, and the cold case',
    measures: [...rates, ...stormy, first],
    verdicts: [
      atLeast('connects, ours / floor, p50', (100 * p50('ours')) / p50('floor'), 50, ' %'),
      ...storms.flatMap(({ what, isSpread, tookMs, failures, loopDelayMs: delay }) => [
        atMost(`${what}: failures`, failures.length, 0, ''),
        atMost(`${what}: all connected after`, tookMs, STORM_GOAL_MS, ' ms'),
        ...(isSpread ? [atMost(`${what}: event-loop delay, p99`, delay, LOOP_GOAL_MS, ' ms')] : []),
      ]),
    ],
    notes: [
      `${CALLERS} agents connect again and again, in slices of ${SLICE_MS} ms, whose rates the percentiles are of: secret proven, instruction, two tools, the connect recorded, a token signed. Floor: HTTP hello → find of an agent → find of its instruction → both as JSON. CPU is the server process’s per connect.`,
      'In a storm each of 1,000 different agents connects by HTTP, opens its socket and says hello; the driver plays them all in one process.',
      ...storms.map(
        ({ what, deferrals, driverLateMs }) =>
          `${what}: sockets were asked ${deferrals} times to come back later (MAX_HANDSHAKES); the driver's own event loop was late by ${driverLateMs.toFixed(0)} ms at its 99th percentile, which is in the figures.`,
      ),
      ...storms.flatMap(({ what, failures }) =>
        failures.length === 0 ? [] : [`${what} failed: ${failures[0] ?? ''}`],
      ),
      `${COLD} agents whose secrets have no proof yet (another token secret, or an import) took ${(cold.tookMs / 1000).toFixed(1)} s to verify, once in their lives: bcrypt, cost 10, a few at a time.`,
    ],
  };
}
