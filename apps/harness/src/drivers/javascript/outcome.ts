import { type SessionDescriptor } from '@reins/shared/link';
import { type DriverOutcome } from '../driver.port';
import { type LimitReason } from './messages';

type Limits = SessionDescriptor['limits'];

/** The outcome of a run that the child itself reported. Its context lives on. */
export function endOfRun(reason: 'complete' | 'exception' | LimitReason, limits: Limits): DriverOutcome {
  switch (reason) {
    case 'complete':
      return { status: 'complete', stopReason: 'end_turn', usage: undefined };
    case 'exception':
      return failed('exception', 'the code threw an exception');
    case 'aborted':
      return { status: 'cancelled', stopReason: 'aborted', usage: undefined };
    default:
      return failed(reason, explain(reason, limits));
  }
}

/** The outcome of a run whose process ended under it. */
export function endOfProcess(
  exit: { code: number | null; signal: NodeJS.Signals | null },
  limit: LimitReason | undefined,
  stderrTail: string | undefined,
  limits: Limits,
): DriverOutcome {
  const lost = 'the process ended and with it everything the prompts had declared';
  if (limit === 'aborted') return { status: 'cancelled', stopReason: 'aborted', usage: undefined };
  const heapFull = /heap out of memory|Reached heap limit|Allocation failed/.test(stderrTail ?? '');
  const reason = limit ?? (heapFull ? 'memory_limit' : undefined);
  if (reason !== undefined) return failed(reason, `${explain(reason, limits)}; ${lost}`);
  const how = exit.signal === null ? `with exit code ${exit.code}` : `by ${exit.signal}`;
  return failed('process_exited', `the code ended its process ${how}; everything declared is lost`, stderrTail);
}

function explain(reason: Exclude<LimitReason, 'aborted'>, limits: Limits): string {
  if (reason === 'cpu_limit') return `the code used more than ${limits.cpuMs} ms of CPU time`;
  if (reason === 'wall_limit') return `the code and its timers took longer than ${limits.wallMs} ms`;
  return `the code needed more than ${limits.memoryBytes} bytes of memory`;
}

function failed(stopReason: string, message: string, stderrTail?: string): DriverOutcome {
  const error = { message, ...(stderrTail !== undefined ? { stderrTail } : {}) };
  return { status: 'failed', stopReason, usage: undefined, error };
}
