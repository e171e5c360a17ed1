import { performance } from 'node:perf_hooks';
import { newObjectId } from '@reins/shared/ids';
import { HARNESS_ENV } from '@reins/shared/link/limits';
import { HarnessPeer } from '../floor/harness-peer';
import { type Options } from '../options';
import { type Bare, BARE_LABEL, BarePods, hostForPods } from '../support/bare-pods';
import { isRunning, PodWatch } from '../support/cluster-client';
import { type Contender, interleave } from '../support/interleave';
import { loopDelayP99Ms } from '../support/loop-delay';
import { PodSubject } from '../support/pod-subject';
import { type Measure, type Part } from '../support/report';
import { SessionEvents } from '../support/session-events';
import { distribution, figure, median } from '../support/stats';
import { ourPart } from './our-part';

const WARM_UP = 1;
const ITERATIONS = 30;
const OURS = 'pod: POST /sessions → active';
const JOB_HARNESS = 'bare Job, the harness in it: created → ready';
const JOB = 'bare Job, node -e in it: created → its process speaks';
const JOB_SEEN = 'bare Job, node -e in it: created → seen running';
const POD = 'bare pod, node -e in it: created → its process speaks';
/** Says one word and stays, so that its container is seen running. */
const SPEAK = ['node', '-e', "require('http').get(process.env.SAY).on('error', () => 0); setTimeout(() => 0, 60000)"];

export async function podStart(options: Options): Promise<Part> {
  const subject = await PodSubject.start(options.profileDir);
  const peer = await HarnessPeer.start('0.0.0.0');
  const watch = await PodWatch.open(subject.client, subject.namespace);
  try {
    const { workerId } = await subject.worker();
    const bare = await templateOf(subject, workerId);
    const world: World = { subject, peer, watch, bare };
    const contenders = [
      ours(subject, workerId),
      jobWithHarness(world),
      spoken(world, true, [JOB, JOB_SEEN]),
      spoken(world, false, [POD]),
    ];
    await interleave(contenders, { warmUp: WARM_UP, iterations: 0 });
    await loopDelayP99Ms(subject.url);
    const samples = await interleave(contenders, { warmUp: 0, iterations: ITERATIONS });
    const loopDelayMs = await loopDelayP99Ms(subject.url);
    const measures = [...samples].flatMap(([who, { values, cpu }]) =>
      Object.entries(values).map(([what, times]): Measure => {
        const own = who === 'ours' && { cpuMs: median(cpu), loopDelayMs };
        return { what, who, unit: 'ms', ...distribution(times), ...own };
      }),
    );
    const p50 = (what: string): number => measures.find((measure) => measure.what === what)?.p50 ?? NaN;
    const [total, withHarness, job] = [p50(OURS), p50(JOB_HARNESS), p50(JOB)];
    return {
      measures,
      verdicts: [ourPart('pod, create → active less a bare Job with the harness in it', total, withHarness)],
      notes: [
        `Pod: of ${figure(total)} ms at p50 a bare Job is ${figure(job)} ms, the harness’s start in it ${figure(withHarness - job)} ms more, the controller’s part ${figure(total - withHarness)} ms. The bare ones have the session’s own pod spec, with a Secret and a claim of their own made in the measured time; the harness in them meets a peer in the driver that answers everything at once.`,
      ],
    };
  } finally {
    watch.close();
    await peer.stop();
    await subject.stop();
  }
}

interface World {
  subject: PodSubject;
  peer: HarnessPeer;
  watch: PodWatch;
  bare: BarePods;
}

async function templateOf(subject: PodSubject, workerId: string): Promise<BarePods> {
  const { id } = await subject.api.session(workerId);
  await subject.api.until(id, 'active', 120_000);
  const bare = await BarePods.like(subject.client, subject.namespace, id);
  await subject.end(id);
  return bare;
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
      return { [OURS]: active - started };
    },
    settle: () => settle(),
  };
}

function jobWithHarness(world: World): Contender {
  const { peer, bare } = world;
  const url = `http://${hostForPods()}:${peer.port}`;
  const names = new Names('harness', world);
  return {
    who: 'floor',
    pids: [],
    once: async () => {
      const agentId = newObjectId();
      const ready = peer.ready(agentId);
      const secret = {
        [HARNESS_ENV.baseUrl]: url,
        [HARNESS_ENV.agentId]: agentId,
        [HARNESS_ENV.agentSecret]: 'not looked at',
      };
      const started = performance.now();
      await bare.job({ name: names.next(), secret });
      return { [JOB_HARNESS]: (await ready) - started };
    },
    settle: () => names.remove(true),
  };
}

/** A bare Job or pod, until its process has said something; and until the cluster shows it running, where asked. */
function spoken(world: World, isJob: boolean, [speaks, seen]: [string, string?]): Contender {
  const { peer, watch, bare } = world;
  const names = new Names(isJob ? 'job' : 'pod', world);
  return {
    who: isJob ? 'bare Job' : 'bare pod',
    pids: [],
    once: async () => {
      const name = names.next();
      const url = `http://${hostForPods()}:${peer.port}/said/${name}`;
      const object: Bare = { name, command: SPEAK, secret: { SAY: url } };
      const said = peer.said(name);
      const running = watch.next((pod) => pod.metadata?.labels?.[BARE_LABEL] === name && isRunning(pod));
      const started = performance.now();
      await (isJob ? bare.job(object) : bare.pod(object));
      const [saidAt, runningAt] = await Promise.all([said, running]);
      return { [speaks]: saidAt - started, ...(seen !== undefined && { [seen]: runningAt - started }) };
    },
    settle: () => names.remove(isJob),
  };
}

/** Names of one contender's objects, one after the other. */
class Names {
  private count = 0;

  constructor(
    private readonly what: string,
    private readonly world: World,
  ) {}

  next(): string {
    this.count++;
    return this.name;
  }

  async remove(isJob: boolean): Promise<void> {
    await this.world.bare.remove(this.name, isJob);
    await this.world.subject.gone(`${BARE_LABEL}=${this.name}`);
  }

  private get name(): string {
    return `${this.what}-${this.count}`;
  }
}
