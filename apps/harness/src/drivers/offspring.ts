import { readdirSync, readFileSync } from 'node:fs';

/** A variable that every process started below a driver's child inherits. */
const MARKER = 'REINS_DRIVER_PROCESS';

export const markedEnvironment = (mark: string): Record<string, string> => ({ [MARKER]: mark });

/**
 * Kills the processes that carry this mark and answers how many. An agent CLI gives the commands of its tools process
 * groups of their own, so ending the CLI's group leaves them running. Where there is no /proc it does nothing.
 */
export function killOffspring(mark: string): number {
  const wanted = `${MARKER}=${mark}`;
  let killed = 0;
  for (const pid of processIds()) {
    if (pid === process.pid || !environment(pid).includes(wanted)) continue;
    try {
      process.kill(pid, 'SIGKILL');
      killed++;
    } catch {
      // It ended by itself between the look and the kill.
    }
  }
  return killed;
}

function processIds(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function environment(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
