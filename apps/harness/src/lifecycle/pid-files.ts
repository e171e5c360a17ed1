import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processStartTime, signalGroup } from './proc';

let folder: string | undefined;

/** From now on each started group leaves a file in this folder until it has ended. */
export function keepPidFilesIn(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  folder = directory;
}

export function rememberGroup(pid: number): void {
  if (folder === undefined) return;
  writeFileSync(join(folder, String(pid)), processStartTime(pid) ?? '');
}

export function forgetGroup(pid: number): void {
  if (folder !== undefined) rmSync(join(folder, String(pid)), { force: true });
}

/**
 * Kills the groups an earlier harness left behind and removes their files. A process that merely has the same pid is
 * left alone: it is killed only where its start time is the recorded one. Answers the pids that were killed.
 */
export function killLeftovers(directory: string): number[] {
  const killed: number[] = [];
  for (const name of listing(directory)) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid <= 1) continue;
    const path = join(directory, name);
    const startedAt = readFileSync(path, 'utf8');
    if (startedAt !== '' && processStartTime(pid) === startedAt && signalGroup(pid, 'SIGKILL')) killed.push(pid);
    rmSync(path, { force: true });
  }
  return killed;
}

function listing(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
