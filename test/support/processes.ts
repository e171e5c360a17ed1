import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopEmbeddedMongo } from '@reins/embedded-mongo';
import { isAlive, ProcessRecord } from '../../apps/controller/src/launchers/process/process-table';

const ENTRY = join(__dirname, '../../dist/apps/controller/main.js');
const LISTENING = /^controller listening on (\S+) /m;
const START_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 40_000;
/** What a program needs to run at all; the tester's own settings and keys stay outside. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LANG'];

export interface BuiltControllerOptions {
  /** On top of PORT=0, AUTH_MODE=dev and REINS_DATA_DIR. */
  env?: Record<string, string>;
  /** A folder of an earlier one, to go on where it was; a fresh temporary one by default. */
  dataDir?: string;
}

/** A controller as it is shipped, in a process of its own. */
export interface BuiltController {
  url: string;
  dataDir: string;
  pid: number;
  /** Everything it has printed. */
  logs: () => string;
  /** SIGTERM; resolves with its exit code. Harnesses, database and data stay. */
  terminate(): Promise<number | null>;
  /** SIGKILL. Harnesses, database and data stay, for another one started on `dataDir`. */
  kill(): Promise<void>;
  /** Ends it with every harness and the database of its data folder, and removes the folder. */
  stop(): Promise<void>;
}

/** Starts dist/apps/controller/main.js and waits until it listens. Rejects with what it printed where it does not. */
export async function startBuiltController(options: BuiltControllerOptions = {}): Promise<BuiltController> {
  if (!existsSync(ENTRY)) throw new Error(`${ENTRY} is missing; run: npm run build`);
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'reins-scenario-'));
  const defaults = { PORT: '0', AUTH_MODE: 'dev', REINS_DATA_DIR: dataDir };
  const child = spawn(process.execPath, [ENTRY], {
    env: { ...inherited(), ...defaults, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let logs = '';
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> => {
    if (isRunning(child)) child.kill(signal);
    await exited(child, STOP_WITHIN_MS);
    return child.exitCode;
  };
  const stop = async (): Promise<void> => {
    try {
      await end('SIGTERM');
    } finally {
      child.kill('SIGKILL');
      killHarnesses(dataDir);
      if (existsSync(join(dataDir, 'database'))) await stopEmbeddedMongo(join(dataDir, 'database'));
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
    }
  };
  try {
    const url = await new Promise<string>((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`the controller ${why}; it printed:\n${logs}`));
      const timer = setTimeout(() => fail(`did not listen within ${START_WITHIN_MS / 1000} s`), START_WITHIN_MS);
      const onOutput = (chunk: Buffer): void => {
        logs += chunk.toString();
        const address = LISTENING.exec(logs)?.[1];
        if (address !== undefined) resolve(address);
      };
      child.stdout.on('data', onOutput);
      child.stderr.on('data', onOutput);
      child.once('error', (error) => fail(`could not be started: ${error.message}`));
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        fail(`ended with ${code ?? signal}`);
      });
    });
    return {
      url,
      dataDir,
      pid: child.pid as number,
      logs: () => logs,
      terminate: () => end('SIGTERM'),
      kill: async () => void (await end('SIGKILL')),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The process of a session's harness, as its launcher noted it; undefined where none is alive. */
export function harnessPid(dataDir: string, sessionId: string): number | undefined {
  const path = join(dataDir, 'sessions', sessionId, 'process.json');
  if (!existsSync(path)) return undefined;
  const record = ProcessRecord.parse(JSON.parse(readFileSync(path, 'utf8')));
  return isAlive(record) ? record.pid : undefined;
}

/** Harnesses outlive their controller; a test's must not. */
function killHarnesses(dataDir: string): void {
  const sessions = join(dataDir, 'sessions');
  for (const session of existsSync(sessions) ? readdirSync(sessions) : []) {
    const pid = harnessPid(dataDir, session);
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  }
}

function inherited(): Record<string, string> {
  return Object.fromEntries(INHERITED.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

function exited(child: ChildProcess, withinMs: number): Promise<void> {
  if (!isRunning(child)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`process ${child.pid} did not end in time`)), withinMs);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
