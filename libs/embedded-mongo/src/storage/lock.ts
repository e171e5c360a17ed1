import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LOCK_FILE = 'server.lock';
const ATTEMPTS = 5;

/**
 * Makes a data directory one process's own. The file names its owner by pid and start time, so a lock that a killed
 * process left, even one whose pid is used again, never blocks the next.
 */
export class DirectoryLock {
  private constructor(
    private readonly path: string,
    private readonly owner: string,
  ) {}

  /** Throws with the owner's pid when another living process holds the directory. */
  static acquire(dir: string): DirectoryLock {
    const path = join(dir, LOCK_FILE);
    const owner = identity(process.pid);
    const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
    writeFileSync(draft, owner, { mode: 0o600 });
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (tryLink(draft, path)) return new DirectoryLock(path, owner);
        const holder = read(path);
        if (holder !== undefined && isAlive(holder)) {
          throw new Error(`data directory ${dir} is in use by process ${holder.split(' ')[0]}`);
        }
        if (holder !== undefined) breakStale(path, holder);
      }
    } finally {
      rmSync(draft, { force: true });
    }
    throw new Error(`could not lock data directory ${dir}`);
  }

  /** The pid of the living process that holds a directory. */
  static holder(dir: string): number | undefined {
    const holder = read(join(dir, LOCK_FILE));
    return holder !== undefined && isAlive(holder) ? Number(holder.split(' ')[0]) : undefined;
  }

  release(): void {
    if (read(this.path) === this.owner) rmSync(this.path, { force: true });
  }
}

/** Linking fails when the target exists, and the file it makes is complete from the first moment. */
function tryLink(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves the stale file away before deleting it: of two processes that try, only one moves it. */
function breakStale(path: string, stale: string): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  // Another process was faster and this is its fresh lock: give it back.
  if (read(aside) !== stale) tryLink(aside, path);
  rmSync(aside, { force: true });
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(owner: string): boolean {
  const pid = Number(owner.split(' ')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return identity(pid) === owner;
}

/** Pid and, where the system tells it, the clock tick the process started at. */
function identity(pid: number): string {
  const started = startTick(pid);
  return started === undefined ? String(pid) : `${pid} ${started}`;
}

function startTick(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The command name, in parentheses, may itself contain spaces; the start tick is field 22.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
