import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ENTRY = join(__dirname, '../../../dist/libs/embedded-mongo/main.js');

/** The built server as a process of its own, on a socket in a temporary folder. */
export class ServerProcess {
  readonly dir = mkdtempSync(join(tmpdir(), 'embedded-mongo-'));
  readonly dataDir = join(this.dir, 'data');
  readonly socketPath = join(this.dir, 'mongo.sock');
  readonly uri = `mongodb://${encodeURIComponent(this.socketPath)}/`;
  private child: ChildProcess | undefined;

  async start(): Promise<void> {
    const child = spawn(process.execPath, [ENTRY, '--dir', this.dataDir, '--socket', this.socketPath], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child = child;
    let output = '';
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.includes('listening on')) return;
    }
    throw new Error(`the server ended before it listened: ${output}`);
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this;
    this.child = undefined;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    const exited = once(child, 'exit');
    child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  }

  async dispose(): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Runs the built server with flags that it refuses, and answers what it said. */
export async function refusal(args: string[]): Promise<{ code: number | null; message: string }> {
  const child = spawn(process.execPath, [ENTRY, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let message = '';
  child.stderr.on('data', (chunk) => (message += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, message };
}
