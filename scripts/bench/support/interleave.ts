import { cpuMs } from './process-usage';

/** One side of a comparison. */
export interface Contender {
  who: string;
  /** The processes that serve it, whose CPU time is counted. */
  pids: readonly number[];
  /** One measured unit of work; resolves with its samples by name. */
  once(): Promise<Record<string, number>>;
  /** What has to happen before the next one, outside of the measurement. */
  settle(): Promise<void>;
}

export interface Samples {
  values: Record<string, number[]>;
  /** On-CPU ms of each unit. */
  cpu: number[];
}

/** Runs all sides in turns, A B A B, so that whatever else the machine does meets each alike. */
export async function interleave(
  contenders: readonly Contender[],
  { warmUp, iterations }: { warmUp: number; iterations: number },
): Promise<Map<string, Samples>> {
  const samples = new Map<string, Samples>(contenders.map(({ who }) => [who, { values: {}, cpu: [] }]));
  for (let round = -warmUp; round < iterations; round++) {
    for (const contender of contenders) {
      const before = used(contender.pids);
      const once = await contender.once();
      const cpu = used(contender.pids) - before;
      if (round >= 0) note(samples.get(contender.who), once, cpu);
      await contender.settle();
    }
  }
  return samples;
}

function note(samples: Samples | undefined, once: Record<string, number>, cpu: number): void {
  if (samples === undefined) return;
  samples.cpu.push(cpu);
  for (const [name, value] of Object.entries(once)) (samples.values[name] ??= []).push(value);
}

function used(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
}
