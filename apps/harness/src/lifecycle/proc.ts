import { readFileSync } from 'node:fs';

/**
 * When the process started, in clock ticks since boot; undefined where there is no such process or no /proc.
 * Together with the pid it names one process for good, because a reused pid has another start time.
 */
export function processStartTime(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The command name is in brackets and may itself contain spaces and brackets; fields are counted after the last one.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

/** Signals a whole process group; false where it is gone already. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    // EPERM is what some systems answer for a group of which only zombies are left.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}
