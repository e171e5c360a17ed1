import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { forgetGroup, rememberGroup } from './pid-files';
import { signalGroup } from './proc';
import { Watchdog } from './watchdog';

export interface GroupOptions {
  cwd: string;
  /** The whole environment of the child; nothing is inherited. */
  env: Readonly<Record<string, string>>;
  /** Default: three pipes. */
  stdio?: StdioOptions;
}

export interface GroupExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ProcessGroup {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Signals every process of the group; false where it is gone already. */
  signalGroup(signal: NodeJS.Signals): boolean;
  /** Resolves when the first process of the group has ended; what it left behind in the group is killed then. Never rejects. */
  readonly exited: Promise<GroupExit>;
}

const live = new Map<number, ProcessGroup>();
const watchdog = new Watchdog();

/**
 * Starts a command as the leader of its own process group, so that it and what it starts can be ended together.
 * The group also ends when the harness dies of SIGKILL. Rejects where the command cannot be started.
 */
export async function spawnGroup(
  command: string,
  args: readonly string[],
  options: GroupOptions,
): Promise<ProcessGroup> {
  const { cwd, env, stdio = ['pipe', 'pipe', 'pipe'] } = options;
  const child = spawn(command, args, { cwd, env, stdio, detached: true });
  const pid = child.pid;
  if (pid === undefined) {
    const reason = await new Promise<Error>((resolve) => child.once('error', resolve));
    throw reason;
  }
  let ended = false;
  const exited = new Promise<GroupExit>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = true;
      signalGroup(pid, 'SIGKILL');
      live.delete(pid);
      watchdog.remove(pid);
      forgetGroup(pid);
      resolve({ code, signal });
    });
  });
  // A failing write to a child that has just ended is an ordinary event of its end.
  child.on('error', () => undefined);
  child.stdin?.on('error', () => undefined);
  const group: ProcessGroup = {
    child,
    pid,
    exited,
    signalGroup: (signal) => !ended && signalGroup(pid, signal),
  };
  live.set(pid, group);
  watchdog.add(pid);
  rememberGroup(pid);
  return group;
}

/** SIGTERM, then SIGKILL after `graceMs`; resolves when the leader has ended. */
export async function endGroup(group: ProcessGroup, graceMs = 2_000): Promise<GroupExit> {
  group.signalGroup('SIGTERM');
  const timer = setTimeout(() => group.signalGroup('SIGKILL'), graceMs);
  try {
    return await group.exited;
  } finally {
    clearTimeout(timer);
  }
}

/** Kills every group at once. Synchronous, so that it also works on the way out of a crash. */
export function killAllGroups(): void {
  for (const pid of live.keys()) signalGroup(pid, 'SIGKILL');
}
