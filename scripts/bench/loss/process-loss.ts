import { performance } from 'node:perf_hooks';
import { harnessPid } from '../../../test/support/processes';
import { type Options } from '../options';
import { REAL_HARNESS } from '../support/built-harness';
import { type Contender, interleave } from '../support/interleave';
import { loopDelayP99Ms } from '../support/loop-delay';
import { type Program, startProgram } from '../support/program';
import { atMost, type Measure, type Part } from '../support/report';
import { distribution, median } from '../support/stats';
import { Subject } from '../support/subject';
import { BusySession, UNLIMITED } from './busy-session';

const WARM_UP = 3;
const ITERATIONS = 30;
const GOAL_MS = 2_000;
const OURS = 'process: SIGKILL → suspended, turn interrupted';
const FLOOR = 'process: SIGKILL → exit event';
/** Something that lives until it is killed. */
const CHILD = [process.execPath, '-e', "process.stdout.write('up'); setTimeout(() => undefined, 2 ** 30)"];

export async function processLoss(options: Options): Promise<Part> {
  const subject = await Subject.start(options.profileDir, { ...REAL_HARNESS, ...UNLIMITED });
  const session = await BusySession.create(subject.api, subject.http, await subject.api.worker());
  const child = new KilledChild();
  try {
    const contenders = [await ours(subject, session), await child.contender()];
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
    const p99 = measures.find(({ what }) => what === OURS)?.p99 ?? NaN;
    return { measures, verdicts: [atMost('process, SIGKILL → correct, p99', p99, GOAL_MS, ' ms')] };
  } finally {
    session.close();
    await child.stop();
    await subject.stop();
  }
}

async function ours(subject: Subject, session: BusySession): Promise<Contender> {
  await session.work();
  return {
    who: 'ours',
    pids: [subject.pid],
    once: async () => {
      const pid = harnessPid(subject.controller.dataDir, session.id);
      if (pid === undefined) throw new Error('the harness does not run');
      const lost = session.isLost();
      const started = performance.now();
      process.kill(pid, 'SIGKILL');
      return { [OURS]: (await lost) - started };
    },
    settle: async () => {
      await session.check();
      await session.work();
    },
  };
}

/** The least there is to know of a process's end: what its parent is told. */
class KilledChild {
  private program: Program | undefined;

  async contender(): Promise<Contender> {
    this.program = await startProgram(CHILD, /up/);
    return {
      who: 'floor',
      pids: [],
      once: async () => {
        const { child } = this.program as Program;
        const exited = new Promise<number>((resolve) => child.once('exit', () => resolve(performance.now())));
        const started = performance.now();
        child.kill('SIGKILL');
        return { [FLOOR]: (await exited) - started };
      },
      settle: async () => {
        this.program = await startProgram(CHILD, /up/);
      },
    };
  }

  async stop(): Promise<void> {
    await this.program?.stop();
  }
}
