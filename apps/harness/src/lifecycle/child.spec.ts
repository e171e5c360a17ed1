import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endGroup, spawnGroup } from './child';
import { keepPidFilesIn, killLeftovers } from './pid-files';
import { processStartTime } from './proc';

const folder = mkdtempSync(join(tmpdir(), 'reins-child-'));
const env = { PATH: process.env.PATH ?? '' };

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  expect(condition()).toBe(true);
}

const alive = (pid: number): boolean => {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'latin1') : '';
  return stat !== '' && !stat.slice(stat.lastIndexOf(')')).startsWith(') Z');
};

describe('spawnGroup', () => {
  it('ends a command together with what it started', async () => {
    const marker = join(folder, 'grandchild');
    const group = await spawnGroup('/bin/sh', ['-c', `sleep 300 & echo $! > ${marker}; wait`], { cwd: folder, env });
    await until(() => existsSync(marker) && readFileSync(marker, 'utf8').trim() !== '');
    const grandchild = Number(readFileSync(marker, 'utf8'));
    expect(alive(grandchild)).toBe(true);
    await endGroup(group);
    await until(() => !alive(grandchild));
  });

  it('kills what ignores the polite signal', async () => {
    const group = await spawnGroup('/bin/sh', ['-c', 'trap "" TERM; echo up; while :; do sleep 1; done'], {
      cwd: folder,
      env,
    });
    await new Promise((resolve) => group.child.stdout?.once('data', resolve));
    await expect(endGroup(group, 100)).resolves.toEqual({ code: null, signal: 'SIGKILL' });
    expect(group.signalGroup('SIGTERM')).toBe(false);
  });

  it('rejects where the command does not exist', async () => {
    await expect(spawnGroup('/nonexistent/agent', [], { cwd: folder, env })).rejects.toThrow('ENOENT');
  });

  it('hands the child the given environment and nothing else', async () => {
    const group = await spawnGroup('/usr/bin/env', [], { cwd: folder, env: { ONLY: 'this' } });
    let out = '';
    group.child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await new Promise((resolve) => group.child.stdout?.once('close', resolve));
    expect(out.trim()).toBe('ONLY=this');
  });

  it('ends the group of a harness that dies of SIGKILL', async () => {
    const marker = join(folder, 'agent.pid');
    const script = join(folder, 'harness.ts');
    writeFileSync(
      script,
      `import { spawnGroup } from ${JSON.stringify(join(__dirname, 'child'))};
       import { writeFileSync } from 'node:fs';
       void spawnGroup('/bin/sh', ['-c', 'sleep 300; exit'], { cwd: '/', env: {} }).then((group) =>
         writeFileSync(${JSON.stringify(marker)}, String(group.pid)));
       setTimeout(() => undefined, 300000);`,
    );
    const harness = spawn(process.execPath, ['--import', 'tsx', script], { cwd: process.cwd(), stdio: 'inherit' });
    await until(() => existsSync(marker) && readFileSync(marker, 'utf8') !== '');
    const agent = Number(readFileSync(marker, 'utf8'));
    expect(alive(agent)).toBe(true);
    harness.kill('SIGKILL');
    await until(() => !alive(agent));
  }, 30_000);
});

describe('pid files', () => {
  const pids = join(folder, 'pids');

  it('name a group while it lives', async () => {
    keepPidFilesIn(pids);
    const group = await spawnGroup('/bin/sh', ['-c', 'sleep 300'], { cwd: folder, env });
    expect(readdirSync(pids)).toEqual([String(group.pid)]);
    group.signalGroup('SIGKILL');
    await group.exited;
    expect(readdirSync(pids)).toEqual([]);
  });

  it('let the next harness kill what was left behind, but never a process that only has the same pid', async () => {
    const left = spawn('/bin/sh', ['-c', 'sleep 300'], { detached: true, stdio: 'ignore' });
    const other = spawn('/bin/sh', ['-c', 'sleep 300'], { detached: true, stdio: 'ignore' });
    const gone = spawnSync('/bin/true').pid;
    try {
      writeFileSync(join(pids, String(left.pid)), processStartTime(left.pid ?? 0) ?? 'none');
      writeFileSync(join(pids, String(other.pid)), '1');
      writeFileSync(join(pids, String(gone)), '12345');
      expect(killLeftovers(pids)).toEqual([left.pid]);
      expect(readdirSync(pids)).toEqual([]);
      await until(() => !alive(left.pid ?? 0));
      expect(alive(other.pid ?? 0)).toBe(true);
    } finally {
      if (other.pid !== undefined) process.kill(-other.pid, 'SIGKILL');
    }
  });
});
