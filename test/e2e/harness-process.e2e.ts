import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT_ID, ScriptedPeer, SECRET, SESSION } from '../../apps/harness/src/link/testing/scripted-peer';

const ROOT = join(__dirname, '../..');
const MAIN = join(ROOT, 'dist/apps/harness/main.js');

let folder: string;
let peer: ScriptedPeer;
const children: ChildProcess[] = [];

beforeAll(() => {
  execFileSync('npx', ['nest', 'build', 'harness'], { cwd: ROOT, stdio: 'ignore' });
}, 120_000);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reins-harness-process-'));
  peer = await ScriptedPeer.start();
  peer.session = {
    ...SESSION,
    cliType: 'javascript',
    limits: { ...SESSION.limits, cpuMs: 2000, wallMs: 60_000, memoryBytes: 2 ** 27 },
  };
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await peer.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Running {
  child: ChildProcess;
  exited: Promise<number | null>;
  stderr: () => string;
}

function start(env: Record<string, string> = {}, args: string[] = []): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      AIWM_BASE_URL: peer.url,
      AIWM_AGENT_ID: AGENT_ID,
      AIWM_AGENT_SECRET: SECRET,
      REINS_DRAIN_SECONDS: '4',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, exited, stderr: () => stderr };
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 800 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  expect(condition()).toBe(true);
}

/** Pids the harness has started and that still run. */
const agents = (): number[] => {
  const pids = join(folder, '.reins/pids');
  return existsSync(pids) ? readdirSync(pids).map(Number).filter(runs) : [];
};
const runs = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe('the harness process', () => {
  it('runs a turn of a real agent, and SIGTERM ends it and its agent with 0', async () => {
    const { child, exited, stderr } = start();
    peer.turn('req-1', { prompt: 'console.log(6 * 7)' });
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(peer.terminal('req-1')).toMatchObject({ status: 'complete', stopReason: 'end_turn' });
    expect(peer.eventsOf().find(({ type }) => type === 'console')?.data.text).toContain('42');
    const started = agents();
    expect(started.length).toBeGreaterThan(0);
    child.kill('SIGTERM');
    await expect(exited).resolves.toBe(0);
    await until(() => !started.some(runs));
    expect(peer.bodies('draining').length).toBe(1);
    expect(stderr()).not.toContain(SECRET);
    expect(peer.faults).toEqual([]);
  }, 60_000);

  it('leaves no agent behind when it is killed', async () => {
    const { child, exited } = start();
    peer.turn('req-1', { prompt: 'await new Promise((resolve) => setTimeout(resolve, 50_000))' });
    await until(() => agents().length > 0);
    const started = agents();
    child.kill('SIGKILL');
    await exited;
    await until(() => !started.some(runs));
  }, 60_000);

  it.each([
    ['AIWM_AGENT_SECRET', '', 'AIWM_AGENT_SECRET is missing'],
    ['AIWM_BASE_URL', 'nowhere', 'AIWM_BASE_URL must be an http or https address'],
  ])(
    'without a usable %s ends with 2 and one plain sentence',
    async (name, value, sentence) => {
      const { exited, stderr } = start({ [name]: value });
      await expect(exited).resolves.toBe(2);
      expect(stderr().trim().split('\n').length).toBe(1);
      expect(stderr()).toContain(`reins-harness: ${sentence}`);
    },
    30_000,
  );

  it('refused by the controller ends with 1 and says what to check', async () => {
    peer.refuseConnect.push({ status: 401, body: { code: 'invalid_credentials', message: 'Invalid credentials' } });
    const { exited, stderr } = start();
    await expect(exited).resolves.toBe(1);
    expect(lastLine(stderr())).toMatch(/^reins-harness: Invalid credentials: check AIWM_AGENT_ID/);
  }, 30_000);

  it('without its repository ends with 78, after the session was told why', async () => {
    if (peer.session !== null)
      peer.session = { ...peer.session, repository: { url: join(folder, 'none.git'), branch: 'main' } };
    const { exited, stderr } = start();
    await expect(exited).resolves.toBe(78);
    expect(lastLine(stderr())).toContain('none.git (session_repo) cannot be cloned');
    expect(peer.eventsOf().some(({ type, data }) => type === 'log' && String(data.message).includes('none.git'))).toBe(
      true,
    );
    expect(peer.bodies('ready')).toEqual([]);
  }, 30_000);
});
