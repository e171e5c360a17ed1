import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { type Clock, systemClock } from '@reins/shared/util';
import { DirectoryLock } from '../storage/lock';
import { ping } from './ping';
import { socketPathOf, socketUri } from './socket-path';

export interface EnsureOptions {
  /** The data directory; everyone who names the same one shares one server. */
  dir: string;
  /** The built server, `dist/libs/embedded-mongo/main.js`. */
  entry: string;
  /** Told in plain words when the server is started, found, lost or restarted. */
  onLog?: (message: string) => void;
  /** How long a start may take. Default 20 s. */
  startWithinMs?: number;
  clock?: Clock;
}

/** A server process that is kept alive as long as this handle is open. */
export interface EmbeddedMongo {
  /** For the driver; stays the same when the server is restarted. */
  uri: string;
  socketPath: string;
  /** Stops watching. The server goes on, for others and for the next start, unless `stop` is set. */
  close(options?: { stop?: boolean }): Promise<void>;
}

const START_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 20_000;
const PING_WITHIN_MS = 2_000;
const POLL_MS = 50;
const BACK_OFF_MS = [0, 200, 500, 1_000, 2_000, 5_000, 10_000];
const STABLE_AFTER_MS = 30_000;
const MAX_LOG_BYTES = 10 * 1024 * 1024;

/**
 * Connects to the server of `dir`, starting it when none answers, and starts it again whenever it dies. The server is
 * detached: it outlives the caller, and several callers may use it at once. Rejects when it cannot be brought up.
 */
export async function ensureEmbeddedMongo(options: EnsureOptions): Promise<EmbeddedMongo> {
  const { onLog = () => undefined, clock = systemClock } = options;
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const socketPath = socketPathOf(options.dir);
  await bringUp(options, socketPath);
  const closing = new AbortController();
  const watching = watch(options, socketPath, closing.signal, onLog, clock);
  return {
    uri: socketUri(socketPath),
    socketPath,
    close: async ({ stop = false } = {}) => {
      closing.abort();
      await watching;
      if (stop) await stopEmbeddedMongo(options.dir);
    },
  };
}

/** Ends the server of a data directory, letting it finish and flush. Resolves false when none was running. */
export async function stopEmbeddedMongo(dir: string, clock: Clock = systemClock): Promise<boolean> {
  const pid = DirectoryLock.holder(dir);
  if (pid === undefined) return false;
  process.kill(pid, 'SIGTERM');
  const deadline = clock.monotonic() + STOP_WITHIN_MS;
  while (DirectoryLock.holder(dir) === pid) {
    if (clock.monotonic() > deadline)
      throw new Error(`the database server (process ${pid}) did not stop within ${STOP_WITHIN_MS / 1000} s`);
    await clock.sleep(POLL_MS);
  }
  return true;
}

async function bringUp(
  { dir, entry, onLog, startWithinMs = START_WITHIN_MS, clock = systemClock }: EnsureOptions,
  socketPath: string,
): Promise<void> {
  if (await ping(socketPath, PING_WITHIN_MS)) {
    onLog?.(`found the database server of ${dir}`);
    return;
  }
  const child = start(dir, entry, socketPath);
  const deadline = clock.monotonic() + startWithinMs;
  while (!(await ping(socketPath, PING_WITHIN_MS))) {
    // When two callers start one at the same time, one child gives way to the other: its end alone is no failure.
    const gone = child.exitCode !== null || child.signalCode !== null;
    if (clock.monotonic() > deadline || (gone && DirectoryLock.holder(dir) === undefined)) {
      throw new Error(`the database server did not start; the end of ${logPath(dir)}:\n${logTail(dir)}`);
    }
    await clock.sleep(POLL_MS);
  }
  onLog?.(`started the database server of ${dir} (process ${DirectoryLock.holder(dir) ?? 'unknown'})`);
}

function start(dir: string, entry: string, socketPath: string): ChildProcess {
  const log = openLog(dir);
  try {
    const child = spawn(process.execPath, [entry, '--dir', resolve(dir), '--socket', socketPath], {
      cwd: dir,
      detached: true,
      env: serverEnvironment(process.env),
      stdio: ['ignore', log, log],
    });
    // A spawn error (no such entry's interpreter, no memory) shows as a child that is gone; the log tail tells the rest.
    child.once('error', () => undefined);
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

/** The caller's secrets are none of the server's business. */
function serverEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ'];
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

const logPath = (dir: string): string => join(dir, 'server.log');

function openLog(dir: string): number {
  const path = logPath(dir);
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_LOG_BYTES) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o600);
}

function logTail(dir: string): string {
  const text = readFileSync(logPath(dir), 'utf8').trimEnd();
  return text.split('\n').slice(-10).join('\n') || '(empty)';
}

/** Holds a connection open; when it breaks, brings the server up again, more slowly the more often that fails. */
async function watch(
  options: EnsureOptions,
  socketPath: string,
  signal: AbortSignal,
  onLog: (message: string) => void,
  clock: Clock,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const since = clock.monotonic();
    await untilDisconnected(socketPath, signal);
    if (signal.aborted) return;
    failures = clock.monotonic() - since > STABLE_AFTER_MS ? 0 : failures;
    const delayMs = BACK_OFF_MS[Math.min(failures, BACK_OFF_MS.length - 1)] ?? 0;
    await clock.sleep(delayMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    onLog(`lost the database server of ${options.dir}; starting it again`);
    failures++;
    await bringUp(options, socketPath).catch((error: unknown) =>
      onLog(error instanceof Error ? error.message : String(error)),
    );
  }
}

function untilDisconnected(socketPath: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const end = (): void => {
      signal.removeEventListener('abort', end);
      socket.destroy();
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
    socket.once('error', end);
    socket.once('close', end);
    // Waiting for the server must not keep the process alive.
    socket.unref();
  });
}
