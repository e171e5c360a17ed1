import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './api-client';

const BOOT = join(__dirname, 'systemd-machine.sh');
const OWN_NAMESPACES = ['--pid', '--mount', '--cgroup', '--ipc', '--uts', '--fork', '--kill-child'];

export interface Ran {
  status: number;
  stdout: string;
  stderr: string;
}

/** A machine with a running systemd, see systemd-machine.sh. */
export interface SystemdMachine {
  /** Runs bash in it as root, with the script on its standard input. */
  bash(script: string, args?: string[], env?: Record<string, string>): Promise<Ran>;
  stop(): void;
}

/** Whether this machine lets us make one: root, systemd, and namespaces with overlays. */
export function canBootSystemd(): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/lib/systemd/systemd')) return false;
  const probe =
    'd=$(mktemp -d) && mount -t tmpfs t "$d" && mkdir "$d/u" "$d/w" "$d/r" && ' +
    'mount -t overlay o -o "lowerdir=/,upperdir=$d/u,workdir=$d/w" "$d/r"; s=$?; umount -R "$d"; rmdir "$d"; exit $s';
  return spawnSync('unshare', [...OWN_NAMESPACES, 'bash', '-c', probe]).status === 0;
}

export async function bootSystemd(): Promise<SystemdMachine> {
  const dir = mkdtempSync(join(tmpdir(), 'reins-machine-'));
  const machine = spawn('unshare', [...OWN_NAMESPACES, BOOT, dir], { stdio: 'ignore' });
  const bash: SystemdMachine['bash'] = (script, args = [], env = {}) => {
    const enter = ['-t', String(processOne(machine)), '-m', '-p', '-C', '-i', '-u', '-r', '-w'];
    return run('nsenter', [...enter, 'bash', '-s', '--', ...args], script, env);
  };
  const stop = (): void => {
    machine.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await eventually(
      async () => {
        const { stdout } = await bash('systemctl is-system-running');
        if (!/^(running|degraded)/.test(stdout)) throw new Error(`systemd is ${stdout.trim()}`);
      },
      60_000,
      250,
    );
  } catch (error) {
    stop();
    throw error;
  }
  return { bash, stop };
}

/** unshare's only child is process 1 of the new namespace. */
function processOne({ pid }: ChildProcess): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  if (children === '') throw new Error('the machine has not been started');
  return Number(children.split(' ')[0]);
}

function run(program: string, args: string[], input: string, env: Record<string, string>): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH ?? '', HOME: '/root', ...env }, encoding: 'utf8' as const };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ status, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}
