import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

const STARTED_WITHIN_MS = 10_000;

/** A Redis of the test's own, on a socket in a temporary folder; it keeps nothing. */
export class RedisServer {
  private child: ChildProcess | undefined;

  private constructor(private readonly dir: string) {}

  /** Whether redis-server (the Debian package of that name) is installed. */
  static isInstalled(): boolean {
    return spawnSync('redis-server', ['--version']).status === 0;
  }

  static async start(): Promise<RedisServer> {
    const server = new RedisServer(mkdtempSync(join(tmpdir(), 'reins-redis-')));
    await server.resume();
    return server;
  }

  get url(): string {
    return join(this.dir, 'redis.sock');
  }

  /** SIGKILL; everything in it is gone. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Starts it, again after `kill`. */
  async resume(): Promise<void> {
    const options = ['--port', '0', '--unixsocket', this.url, '--save', '', '--appendonly', 'no', '--dir', this.dir];
    this.child = spawn('redis-server', options, { stdio: 'ignore' });
    const client = new Redis(this.url, { retryStrategy: () => 20, maxRetriesPerRequest: null, enableReadyCheck: true });
    client.on('error', () => undefined);
    const timer = setTimeout(() => client.disconnect(), STARTED_WITHIN_MS);
    try {
      await client.ping();
    } finally {
      clearTimeout(timer);
      client.disconnect();
    }
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
