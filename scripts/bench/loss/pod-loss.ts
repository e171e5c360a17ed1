import { performance } from 'node:perf_hooks';
import { kubectl } from '../../../test/cluster/support/kubectl';
import { pods } from '../../../test/cluster/support/objects';
import { type Options } from '../options';
import { isTerminated, PodWatch } from '../support/cluster-client';
import { type Contender, interleave } from '../support/interleave';
import { loopDelayP99Ms } from '../support/loop-delay';
import { PodSubject, SESSION_LABEL } from '../support/pod-subject';
import { atMost, type Measure, type Part } from '../support/report';
import { distribution, median } from '../support/stats';
import { BusySession, UNLIMITED } from './busy-session';

const WARM_UP = 1;
const ITERATIONS = 30;
const GOAL_MS = 2_000;
const EVENT = 'pod: SIGKILL asked for → event at a bare watch';
const LOST = 'pod: SIGKILL asked for → suspended, turn interrupted';
const AFTER = 'pod: event at a bare watch → suspended, turn interrupted';
/** Ends the harness from inside its pod; its image has no tools for that. */
const KILL_HARNESS = 'for p in /proc/[0-9]*; do grep -q opt/reins/harness $p/cmdline && kill -9 ${p#/proc/}; done';

export async function podLoss(options: Options): Promise<Part> {
  const subject = await PodSubject.start(options.profileDir, UNLIMITED);
  try {
    const { workerId } = await subject.worker();
    const session = await BusySession.create(subject.api, subject.http, workerId);
    const watch = await PodWatch.open(subject.client, subject.namespace);
    const contender = await killed(subject, session, watch);
    await interleave([contender], { warmUp: WARM_UP, iterations: 0 });
    await loopDelayP99Ms(subject.url);
    const samples = await interleave([contender], { warmUp: 0, iterations: ITERATIONS });
    const loopDelayMs = await loopDelayP99Ms(subject.url);
    watch.close();
    session.close();
    await subject.end(session.id);
    const { values, cpu } = samples.get('ours') ?? { values: {}, cpu: [] };
    const measure = (what: string, who: string): Measure => ({
      what,
      who,
      unit: 'ms',
      ...distribution(values[what] ?? []),
    });
    const after: Measure = { ...measure(AFTER, 'ours'), cpuMs: median(cpu), loopDelayMs };
    return {
      measures: [measure(LOST, 'ours'), measure(EVENT, 'floor'), after],
      verdicts: [atMost('pod, event → correct, p99', after.p99, GOAL_MS, ' ms')],
    };
  } finally {
    await subject.stop();
  }
}

async function killed(subject: PodSubject, session: BusySession, watch: PodWatch): Promise<Contender> {
  const { namespace } = subject;
  await session.work();
  return {
    who: 'ours',
    pids: [subject.pid],
    once: async () => {
      const [pod] = await pods(namespace, `${SESSION_LABEL}=${session.id}`);
      const name = pod?.metadata?.name ?? '';
      const ended = watch.next((seen) => seen.metadata?.name === name && isTerminated(seen));
      const lost = session.isLost();
      const started = performance.now();
      // The shell goes with its container; that its connection breaks is what was asked for.
      kubectl(['exec', name, `--namespace=${namespace}`, '--', 'sh', '-c', KILL_HARNESS]).catch(() => undefined);
      const [event, known] = await Promise.all([ended, lost]);
      return { [EVENT]: event - started, [LOST]: known - started, [AFTER]: known - event };
    },
    settle: async () => {
      await session.check();
      await subject.gone(`${SESSION_LABEL}=${session.id}`);
      await session.work();
    },
  };
}
