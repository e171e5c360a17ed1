import { readFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** What is remembered of a started process, so that any later controller can tell whether it still lives. */
export const ProcessRecord = z.object({
  orgId: z.string(),
  sessionId: z.string(),
  launchId: z.string(),
  pid: z.number().int(),
  /** Distinguishes this process from a later one with the same pid. */
  startedTicks: z.string(),
});
export type ProcessRecord = z.infer<typeof ProcessRecord>;

const UNKNOWN_TICKS = '';

/** Start time of a process in kernel ticks; empty where the system does not say, undefined where it does not live. */
export function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name may hold spaces and brackets; the fields after its last bracket do not.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return signalReaches(pid) ? UNKNOWN_TICKS : undefined;
  }
}

export function isAlive(record: Pick<ProcessRecord, 'pid' | 'startedTicks'>): boolean {
  return startTicks(record.pid) === record.startedTicks;
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** One small file per session below the data folder. */
export class ProcessTable {
  constructor(private readonly sessionsDir: string) {}

  folder(sessionId: string): string {
    return join(this.sessionsDir, sessionId);
  }

  async write(record: ProcessRecord): Promise<void> {
    const path = this.path(record.sessionId);
    await mkdir(this.folder(record.sessionId), { recursive: true, mode: 0o700 });
    await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  /** Undefined where no process of the session is on record, or the record is damaged. */
  async read(sessionId: string): Promise<ProcessRecord | undefined> {
    const text = await readFile(this.path(sessionId), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return ProcessRecord.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }

  async remove(sessionId: string): Promise<void> {
    await rm(this.path(sessionId), { force: true });
  }

  private path(sessionId: string): string {
    return join(this.folder(sessionId), 'process.json');
  }
}
