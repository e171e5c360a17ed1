import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type AgentCli, agentCli } from './catalogue';
import { withLock } from './lock';

export interface InstallOptions {
  /** Told what is going on, one line at a time. */
  progress?: (line: string) => void;
  /** Default: `REINS_CACHE_DIR`, else `XDG_CACHE_HOME/reins`, else `~/.cache/reins`. */
  cacheDir?: string;
  /** The npm program. */
  npm?: string;
}

/**
 * Installs a pinned agent CLI into the cache folder and returns the absolute path of its executable. What is there
 * already is used as it is, without the network. Rejects with a message that says what is missing.
 */
export async function installAgentCli(name: string, options: InstallOptions = {}): Promise<string> {
  const { progress = () => undefined, cacheDir = defaultCacheDir(), npm = 'npm' } = options;
  const cli = agentCli(name);
  const versions = join(cacheDir, 'agent-clis', cli.name);
  const target = join(versions, cli.version);
  const cached = await findExecutable(cli, target);
  if (cached !== undefined) return cached;

  await mkdir(versions, { recursive: true });
  const waiting = (): void => progress(`another process is installing ${cli.name} ${cli.version}; waiting for it`);
  return withLock(join(versions, `${cli.version}.lock`), waiting, async () => {
    const meanwhile = await findExecutable(cli, target);
    if (meanwhile !== undefined) return meanwhile;
    progress(`installing ${cli.package}@${cli.version} (about ${cli.installMegabytes} MB) into ${target}`);
    const started = Date.now();
    const staging = await mkdtemp(join(versions, `.${cli.version}-`));
    try {
      await npmInstall(npm, cli, staging);
      if ((await findExecutable(cli, staging)) === undefined) {
        throw new Error(`${cli.package}@${cli.version} has no executable for ${process.platform}-${process.arch}`);
      }
      await rm(target, { recursive: true, force: true });
      await rename(staging, target);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
    progress(`installed ${cli.name} ${cli.version} in ${Math.round((Date.now() - started) / 1000)} s`);
    const installed = await findExecutable(cli, target);
    if (installed === undefined) throw new Error(`${target} vanished while it was installed`);
    return installed;
  });
}

export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  return env.REINS_CACHE_DIR || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'reins');
}

async function findExecutable(cli: AgentCli, folder: string): Promise<string | undefined> {
  for (const candidate of cli.executables.map((path) => join(folder, path))) {
    const usable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return candidate;
  }
  return undefined;
}

async function npmInstall(npm: string, cli: AgentCli, folder: string): Promise<void> {
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'agent-cli', private: true }));
  const args = ['install', '--no-audit', '--no-fund', '--save-exact', '--loglevel=error'];
  const child = spawn(npm, [...args, `${cli.package}@${cli.version}`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-4096)));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new Error(`"${npm}" is not installed; npm 10 or newer is needed`) : error);
    });
    child.once('close', (status, signal) => resolve(status ?? signal ?? 'unknown'));
  });
  if (code !== 0) throw new Error(explain(cli, code, stderr));
}

function explain(cli: AgentCli, code: number | string, stderr: string): string {
  const what = `npm could not install ${cli.package}@${cli.version} (exit ${code}).`;
  if (/E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|HOSTUNREACH|NETUNREACH)|ERR_SOCKET_TIMEOUT/.test(stderr)) {
    return `${what} npm cannot reach its registry: connect this machine to the network once, set npm's "registry" or "proxy", or copy a filled cache folder here and point REINS_CACHE_DIR to it.\n${stderr.trim()}`;
  }
  if (/ENOSPC/.test(stderr)) return `${what} The disk is full; about ${cli.installMegabytes} MB are needed.`;
  return `${what}\n${stderr.trim()}`;
}
