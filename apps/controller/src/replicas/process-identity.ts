import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { isAlive, startTicks } from '../launchers/process/process-table';

/** Names a process so that others can tell whether it still lives. */
export interface ProcessIdentity {
  /** Equal for processes that see each other in the process table. */
  machine: string;
  pid: number;
  /** Distinguishes it from a later process with the same pid. */
  startedTicks: string;
}

/** Who this process is. */
export function ownIdentity(): ProcessIdentity {
  const machine = [hostname(), read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()), pidSpace()];
  return { machine: machine.join('/'), pid: process.pid, startedTicks: startTicks(process.pid) ?? '' };
}

/** True only where the process table says so; a process of another machine is never known to be dead. */
export function isKnownDead(process: ProcessIdentity, machine: string): boolean {
  return process.machine === machine && !isAlive(process);
}

/** Containers of one machine have process tables of their own. */
function pidSpace(): string {
  return read(() => readlinkSync('/proc/self/ns/pid'));
}

function read(what: () => string): string {
  try {
    return what();
  } catch {
    return '';
  }
}
