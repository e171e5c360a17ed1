import { chmod, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentCli } from './catalogue';
import { defaultCacheDir, installAgentCli } from './install';

/** Stands in for npm, the only thing here that would need the network: same arguments, same effect on the folder. */
const NPM = `#!/bin/sh
echo run >> "$(dirname "$0")/runs"
if [ -f "$(dirname "$0")/offline" ]; then echo "npm error code ENOTFOUND" >&2; exit 1; fi
sleep 0.3
mkdir -p node_modules/.bin
printf '#!/bin/sh\\necho ok' > node_modules/.bin/codex
chmod +x node_modules/.bin/codex
`;

describe('installAgentCli', () => {
  let folder: string;
  let npm: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reins-clis-'));
    npm = join(folder, 'npm');
    await writeFile(npm, NPM);
    await chmod(npm, 0o755);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const install = (): Promise<string> => installAgentCli('codex', { cacheDir: join(folder, 'cache'), npm });
  const runs = async (): Promise<number> =>
    (await readFile(join(folder, 'runs'), 'utf8').catch(() => '')).split('\n').length - 1;
  const versionFolders = (): Promise<string[]> => readdir(join(folder, 'cache', 'agent-clis', 'codex'));

  it('installs once, also when several ask at the same time, and then needs no network', async () => {
    const paths = await Promise.all([install(), install(), install()]);
    expect(new Set(paths).size).toBe(1);
    expect(paths[0]).toContain(join('agent-clis', 'codex', agentCli('codex').version));
    await writeFile(join(folder, 'offline'), '');
    expect(await install()).toBe(paths[0]);
    expect(await runs()).toBe(1);
    expect(await versionFolders()).toEqual([agentCli('codex').version]);
  });

  it('says that the registry cannot be reached, leaves nothing behind, and recovers', async () => {
    await writeFile(join(folder, 'offline'), '');
    await expect(install()).rejects.toThrow(/cannot reach its registry/);
    expect(await versionFolders()).toEqual([]);
    await rm(join(folder, 'offline'));
    await expect(install()).resolves.toContain('codex');
  });

  it('takes over the lock of an installer that was killed', async () => {
    const lock = join(folder, 'cache', 'agent-clis', 'codex', `${agentCli('codex').version}.lock`);
    await mkdir(lock, { recursive: true });
    await utimes(lock, new Date(0), new Date(0));
    await expect(install()).resolves.toContain('codex');
  });

  it('names the CLIs there are when asked for another, and npm when it is missing', async () => {
    await expect(installAgentCli('nope')).rejects.toThrow(/claude-code, codex/);
    await expect(installAgentCli('codex', { cacheDir: folder, npm: join(folder, 'none') })).rejects.toThrow(
      /not installed/,
    );
  });

  it('keeps the cache where the environment says', () => {
    expect(defaultCacheDir({ REINS_CACHE_DIR: '/a' })).toBe('/a');
    expect(defaultCacheDir({ XDG_CACHE_HOME: '/b' })).toBe('/b/reins');
  });
});
