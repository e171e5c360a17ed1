import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@reins/shared/util';

export interface Started {
  pid: number;
  url: string;
}

const GONE_AFTER_MS = 30_000;

/** Programs left running between two runs, each with a small record in the data folder. */
export class Processes {
  constructor(private readonly dataDir: string) {}

  logPath(name: string): string {
    return join(this.dataDir, `${name}.log`);
  }

  /** The program if it is still running. */
  running(name: string): Started | undefined {
    try {
      const started = JSON.parse(readFileSync(this.recordPath(name), 'utf8')) as Started;
      process.kill(started.pid, 0);
      return started;
    } catch {
      return undefined;
    }
  }

  /** Starts a program that outlives this one and waits for the line that names its address. */
  async start(name: string, args: string[], env: NodeJS.ProcessEnv, timeoutMs: number): Promise<Started> {
    mkdirSync(this.dataDir, { recursive: true, mode: 0o700 });
    const log = openSync(this.logPath(name), 'w', 0o600);
    const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log], env });
    child.unref();
    let exited = false;
    child.once('exit', () => (exited = true));
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      const text = readFileSync(this.logPath(name), 'utf8');
      const url = /listening on (http:\/\/\S+)/.exec(text)?.[1];
      if (url !== undefined && child.pid !== undefined) {
        const started = { pid: child.pid, url };
        writeFileSync(this.recordPath(name), JSON.stringify(started), { mode: 0o600 });
        return started;
      }
      if (exited) throw new Error(`The ${name} did not start:\n${lastLines(text)}`);
      await systemClock.sleep(100);
    }
    child.kill('SIGKILL');
    throw new Error(`The ${name} did not start in time; ${this.logPath(name)} says why.`);
  }

  /** Asks a program to leave and waits for it; false where none was running. */
  async stop(name: string): Promise<boolean> {
    const started = this.running(name);
    rmSync(this.recordPath(name), { force: true });
    if (started === undefined) return false;
    process.kill(started.pid, 'SIGTERM');
    const deadline = performance.now() + GONE_AFTER_MS;
    while (isAlive(started.pid)) {
      if (performance.now() > deadline) process.kill(started.pid, 'SIGKILL');
      await systemClock.sleep(100);
    }
    return true;
  }

  private recordPath(name: string): string {
    return join(this.dataDir, `${name}.json`);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-10).join('\n');
}
