import { performance } from 'node:perf_hooks';
import { eventually } from '../../../test/support/api-client';
import { type Options } from '../options';
import { type Contender, interleave } from '../support/interleave';
import { loopDelayP99Ms } from '../support/loop-delay';
import { PodSubject } from '../support/pod-subject';
import { atMost, type Measure, type Part } from '../support/report';
import { SessionEvents } from '../support/session-events';
import { distribution, median } from '../support/stats';

const WARM_PODS = 2;
const WARM_UP = 1;
const ITERATIONS = 30;
const GOAL_MS = 50;
const FILLED_WITHIN_MS = 120_000;
const LOOK_EVERY_MS = 200;
const WHAT = `warm pool of ${WARM_PODS}: POST /sessions → active`;

export async function warmStart(options: Options): Promise<Part> {
  const subject = await PodSubject.start(options.profileDir);
  try {
    const { workerId, runtime } = await subject.worker(WARM_PODS);
    if (runtime.warmPods !== WARM_PODS) return skipped('the built controller keeps no warm pods');
    const contender = ours(subject, workerId);
    await filled(subject);
    await interleave([contender], { warmUp: WARM_UP, iterations: 0 });
    await loopDelayP99Ms(subject.url);
    const samples = await interleave([contender], { warmUp: 0, iterations: ITERATIONS });
    const loopDelayMs = await loopDelayP99Ms(subject.url);
    const { values, cpu } = samples.get('ours') ?? { values: {}, cpu: [] };
    const measure: Measure = {
      what: WHAT,
      who: 'ours',
      unit: 'ms',
      ...distribution(values[WHAT] ?? []),
      cpuMs: median(cpu),
      loopDelayMs,
    };
    const bound = await subject.database.client
      .db(subject.database.name)
      .collection<{ claim: object | null }>('warm_pods')
      .countDocuments({ claim: { $ne: null } });
    return {
      measures: [measure],
      verdicts: [atMost('warm, create → active, p50', measure.p50, GOAL_MS, ' ms')],
      notes: [
        `Warm: each session comes when the pool is full and nothing else starts; ${bound} of ${WARM_UP + ITERATIONS} took a warm pod.`,
      ],
    };
  } finally {
    await subject.stop();
  }
}

function skipped(why: string): Part {
  process.stderr.write(`SKIPPED the warm pool of b8: ${why}\n`);
  return { measures: [], verdicts: [], notes: [`SKIPPED the warm pool: ${why}.`] };
}

function ours(subject: PodSubject, workerId: string): Contender {
  const { http } = subject;
  let settle: () => Promise<void> = async () => undefined;
  return {
    who: 'ours',
    pids: [subject.pid],
    once: async () => {
      const started = performance.now();
      const { id } = JSON.parse(await http.call('POST', '/sessions', { workerId })) as { id: string };
      const events = await SessionEvents.follow(http, id);
      const active = await events.state('active');
      events.close();
      settle = () => subject.end(id);
      return { [WHAT]: active - started };
    },
    settle: async () => {
      await settle();
      await filled(subject);
    },
  };
}

/** Returns when as many pods wait as should. */
async function filled({ database }: PodSubject): Promise<void> {
  const pods = database.client.db(database.name).collection<{ state: string }>('warm_pods');
  const check = async (): Promise<void> => {
    const ready = await pods.countDocuments({ state: 'ready' });
    if (ready < WARM_PODS) throw new Error(`${ready} of ${WARM_PODS} warm pods are ready`);
  };
  await eventually(check, FILLED_WITHIN_MS, LOOK_EVERY_MS);
}
