import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { systemClock } from '@reins/shared/util';
import { type Contender } from './interleave';
import { type Program, startProgram } from './program';

const VERSION = '5.81.5';
const INSTALL_WITHIN_MS = 120_000;
const PAUSE_MS = 8;

/** The little of BullMQ that is used. It is no dependency of the product: only this comparison installs it. */
interface Bullmq {
  Queue: new (
    name: string,
    options: object,
  ) => { add(name: string, data: object): Promise<unknown>; close(): Promise<void> };
  Worker: new (
    name: string,
    work: () => Promise<void>,
    options: object,
  ) => { waitUntilReady(): Promise<unknown>; close(force?: boolean): Promise<void> };
}

export interface Peers {
  contenders: Contender[];
  notes: string[];
  stop(): Promise<void>;
}

/** BullMQ's dispatch on a Redis of its own, once flushing every second and once always; skipped aloud where it cannot run. */
export async function startBullmq(): Promise<Peers> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    const redis = await redisVersion();
    const bullmq = await load();
    const contenders: Contender[] = [];
    for (const fsync of ['everysec', 'always']) {
      const { contender, stop: end } = await side(bullmq, fsync);
      stops.push(end);
      contenders.push(contender);
    }
    return { contenders, notes: [`BullMQ ${VERSION} on Redis ${redis}, over a Unix socket, appendonly.`], stop };
  } catch (error) {
    await stop();
    const note = `SKIPPED: BullMQ beside it, ${(error as Error).message.split('\n')[0]}`;
    return { contenders: [], notes: [note], stop: async () => undefined };
  }
}

async function redisVersion(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('redis-server', ['--version']);
    return /v=(\S+)/.exec(stdout)?.[1] ?? 'of unknown version';
  } catch {
    throw new Error('redis-server is missing (Debian: apt-get install redis-server)');
  }
}

async function load(): Promise<Bullmq> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'reins', 'bench', `bullmq-${VERSION}`);
  if (!existsSync(join(folder, 'node_modules', 'bullmq', 'package.json'))) {
    process.stderr.write(`installing bullmq ${VERSION} into ${folder}\n`);
    mkdirSync(folder, { recursive: true });
    const args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
    await promisify(execFile)('npm', [...args, `bullmq@${VERSION}`], { timeout: INSTALL_WITHIN_MS });
  }
  return createRequire(join(folder, 'package.json'))('bullmq') as Bullmq;
}

async function side(bullmq: Bullmq, fsync: string): Promise<{ contender: Contender; stop: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'reins-bench-redis-'));
  let redis: Program | undefined;
  const remove = async (): Promise<void> => {
    await redis?.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const socket = join(directory, 'redis.sock');
    const settings = { port: '0', unixsocket: socket, dir: directory, save: '', appendonly: 'yes', appendfsync: fsync };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    redis = await startProgram(['redis-server', ...args], /ready to accept connections/i);
    const connection = { path: socket, maxRetriesPerRequest: null };
    const queue = new bullmq.Queue('bench', { connection });
    let taken: () => void = () => undefined;
    const worker = new bullmq.Worker('bench', async () => taken(), { connection });
    await worker.waitUntilReady();
    const contender: Contender = {
      who: `BullMQ, fsync ${fsync}`,
      pids: [redis.pid],
      once: async () => {
        const holds = new Promise<void>((resolve) => (taken = resolve));
        const started = performance.now();
        const added = queue.add('turn', { prompt: 'Say what this repository is about, in one sentence.' });
        await holds;
        const ms = performance.now() - started;
        await added;
        return { 'prompt sent → harness holds the turn': ms };
      },
      settle: () => systemClock.sleep(PAUSE_MS),
    };
    const stop = async (): Promise<void> => {
      await worker.close(true);
      await queue.close();
      await remove();
    };
    return { contender, stop };
  } catch (error) {
    await remove();
    throw error;
  }
}
