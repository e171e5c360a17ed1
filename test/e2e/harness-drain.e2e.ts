import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@reins/shared/util';
import { AGENT_ID, ScriptedPeer, SECRET, SESSION, SILENCE } from '../../apps/harness/src/link/testing/scripted-peer';

const ROOT = join(__dirname, '../..');
const MAIN = join(ROOT, 'dist/apps/harness/main.js');
const HANG = 'console.log("begun"); await new Promise((resolve) => setTimeout(resolve, 50_000))';
/** Nobody of this name is in /etc/passwd. */
const UNKNOWN_UID = 54_321;

jest.setTimeout(60_000);

let folder: string;
let peer: ScriptedPeer;
const children: ChildProcess[] = [];

beforeAll(() => {
  execFileSync('npx', ['nest', 'build', 'harness'], { cwd: ROOT, stdio: 'ignore' });
}, 120_000);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reins-harness-drain-'));
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
}

/** As a pod starts it: one volume, on which nothing exists at first. */
function start(env: Record<string, string> = {}, uid?: number): Running {
  const child = spawn(process.execPath, [MAIN], {
    cwd: '/',
    env: {
      PATH: process.env.PATH ?? '',
      HOME: join(folder, 'session/home'),
      REINS_WORKSPACE: join(folder, 'session/workspace'),
      REINS_STATE_DIR: join(folder, 'session/state'),
      REINS_TERMINATION_LOG: join(folder, 'termination-log'),
      REINS_MANAGED: 'true',
      AIWM_BASE_URL: peer.url,
      AIWM_AGENT_ID: AGENT_ID,
      AIWM_AGENT_SECRET: SECRET,
      REINS_DRAIN_MS: '4000',
      ...env,
    },
    stdio: 'ignore',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  children.push(child);
  return { child, exited: new Promise((resolve) => child.once('close', resolve)) };
}

const session = (...path: string[]): string => join(folder, 'session', ...path);
const git = (cwd: string, ...args: string[]): string => {
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.test', '-c', 'safe.directory=*'];
  return execFileSync('git', [...who, ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
};

function withRepository(): string {
  const [bare, work] = [join(folder, 'bare.git'), join(folder, 'work')];
  git(folder, 'init', '--bare', '-b', 'main', bare);
  git(folder, 'init', '-b', 'main', work);
  writeFileSync(join(work, 'readme'), 'text');
  git(work, 'add', '.');
  git(work, 'commit', '-m', 'first');
  git(work, 'push', bare, 'HEAD:main');
  if (peer.session !== null) peer.session = { ...peer.session, repository: { url: bare, branch: 'main' } };
  return bare;
}

const ready = (times = 1): Promise<void> => peer.until('ready', () => peer.bodies('ready').length >= times);
const messages = (): string[] =>
  peer.eventsOf().flatMap(({ type, data }) => (type === 'log' ? [String(data.message)] : []));

describe('SIGTERM', () => {
  it('commits what was made in the repository without pushing it; the next process goes on in the same clone', async () => {
    const bare = withRepository();
    const { child, exited } = start();
    await ready();
    const clone = session('workspace/session_repo');
    writeFileSync(join(clone, 'made'), 'by the agent');
    child.kill('SIGTERM');
    await expect(exited).resolves.toBe(0);
    expect(git(clone, 'status', '--porcelain')).toBe('');
    expect(git(clone, 'log', '-1', '--format=%s', 'reins/sess-1')).toBe('Work of session sess-1');
    expect(git(bare, 'branch', '--list', 'reins/*')).toBe('');
    expect(messages()).toContainEqual('session_repo: saved on reins/sess-1');

    peer.events.clear();
    const again = start({ AIWM_AGENT_SECRET: 'another-secret-for-the-next-process' });
    await ready(2);
    await peer.until('its first words', () => messages().some((text) => text.includes('the existing clone is kept')));
    again.child.kill('SIGTERM');
    await expect(again.exited).resolves.toBe(0);
    expect(existsSync(join(clone, 'made'))).toBe(true);
  });

  it('does not conclude a merge that waits for the agent', async () => {
    withRepository();
    const { child, exited } = start();
    await ready();
    const clone = session('workspace/session_repo');
    writeFileSync(join(clone, '.git/MERGE_HEAD'), `${git(clone, 'rev-parse', 'HEAD')}\n`);
    writeFileSync(join(clone, 'readme'), '<<<<<<< ours');
    child.kill('SIGTERM');
    await expect(exited).resolves.toBe(0);
    expect(git(clone, 'status', '--porcelain')).not.toBe('');
  });

  it('twice means now', async () => {
    const { child, exited } = start({ REINS_DRAIN_MS: '40000' });
    peer.turn('req-1', { prompt: HANG });
    await peer.until('the start', () => peer.eventsOf().some(({ type }) => type === 'console'));
    child.kill('SIGTERM');
    await peer.until('draining', () => peer.bodies('draining').length === 1);
    await systemClock.sleep(500);
    expect(child.exitCode).toBeNull();
    child.kill('SIGTERM');
    await expect(exited).resolves.toBe(0);
    expect(peer.terminal('req-1')).toMatchObject({ status: 'interrupted', stopReason: 'harness_stopped' });
  });

  it('what was not heard is sent by the next process, once, with its turn where that still counts', async () => {
    let isDeaf = true;
    peer.script('events', ...Array.from({ length: 50 }, () => () => (isDeaf ? SILENCE : undefined)));
    const first = start();
    peer.turn('req-1', { prompt: 'console.log("said to nobody")' });
    await peer.until('the turn', () => peer.bodies('events').length > 0);
    await systemClock.sleep(1000);
    first.child.kill('SIGTERM');
    await expect(first.exited).resolves.toBe(0);
    expect(peer.eventsOf()).toEqual([]);

    isDeaf = false;
    const incarnation = String(peer.socket.handshake.auth['incarnation']);
    const { session: descriptor } = peer;
    if (descriptor === null) throw new Error('there is a session');
    peer.script('hello', ({ sessions }) => ({
      resume: 'ok',
      sessions: sessions.map(({ sessionId, turns }) => ({
        sessionId,
        acked: 0,
        before: { incarnation, acked: 0 },
        session: descriptor,
        turns: turns.map(({ turnId, generation }) => ({ turnId, generation, verdict: 'continue' as const })),
      })),
      limits: { frameBytes: 262_144, batchBytes: 32_768, batchEvents: 64, inlineBytes: 65_536 },
      credit: 262_144,
      drain: false,
    }));
    const second = start();
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(peer.bodies('hello').at(-1)?.sessions[0]?.turns).toEqual([
      { turnId: 'req-1', generation: 1, state: 'running' },
    ]);
    expect(peer.terminal('req-1')).toMatchObject({ status: 'complete' });
    second.child.kill('SIGTERM');
    await expect(second.exited).resolves.toBe(0);
    expect(peer.eventsOf().filter(({ type }) => type === 'turn.completed')).toHaveLength(1);
    expect(peer.eventsOf().filter(({ type }) => type === 'console')).toHaveLength(1);
    const spool = session('state/sessions/sess-1/spool');
    expect(readdirSync(spool).flatMap((name) => readdirSync(join(spool, name)))).toEqual([]);
  });
});

describe('SIGKILL', () => {
  it('of a harness and its git leaves locks, which the next one removes; nothing is cloned again', async () => {
    withRepository();
    const { child, exited } = start();
    await ready();
    child.kill('SIGKILL');
    await exited;
    const clone = session('workspace/session_repo');
    writeFileSync(join(clone, 'kept'), '');
    const locks = ['index.lock', 'HEAD.lock', 'refs/heads/main.lock'].map((name) => join(clone, '.git', name));
    for (const lock of locks) writeFileSync(lock, '');
    writeFileSync(session('state/sessions/sess-1/state.json.new'), '{"half');
    const again = start();
    await ready(2);
    expect(locks.filter((lock) => existsSync(lock))).toEqual([]);
    again.child.kill('SIGTERM');
    await expect(again.exited).resolves.toBe(0);
    expect(git(clone, 'show', '--name-only', '--format=', 'HEAD')).toBe('kept');
  });
});

describe('a notice that the machine goes away', () => {
  it('starts the same as SIGTERM, with its own reason', async () => {
    let isGoing = false;
    const service: Server = createServer((request, response) => {
      if (request.method === 'PUT') return response.end('imds-token');
      if (request.headers['x-aws-ec2-metadata-token'] !== 'imds-token') return response.writeHead(401).end();
      if (!isGoing) return response.writeHead(404).end();
      return response.end(JSON.stringify({ action: 'terminate', time: new Date(Date.now() + 120_000).toISOString() }));
    });
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    try {
      const { exited } = start({
        REINS_SPOT_NOTICE_URL: `${origin}/latest/meta-data/spot/instance-action`,
        REINS_SPOT_NOTICE_POLL_MS: '100',
      });
      peer.turn('req-1', { prompt: HANG });
      await peer.until('the start', () => peer.eventsOf().some(({ type }) => type === 'console'));
      isGoing = true;
      await expect(exited).resolves.toBe(0);
      expect(peer.bodies('draining')).toEqual([{ reason: 'spot_notice', deadlineMs: 4000 }]);
      expect(peer.terminal('req-1')).toMatchObject({ status: 'interrupted' });
    } finally {
      service.closeAllConnections();
      service.close();
    }
  });
});

describe('on a fresh volume', () => {
  it('makes its folders for itself alone', async () => {
    const { child, exited } = start();
    await ready();
    for (const name of ['home', 'workspace', 'state']) expect(statSync(session(name)).mode & 0o777).toBe(0o700);
    child.kill('SIGTERM');
    await expect(exited).resolves.toBe(0);
    expect(existsSync(join(folder, 'termination-log'))).toBe(false);
  });

  const asRoot = process.getuid?.() === 0 ? it : it.skip;
  asRoot('works as a user without a name, who may write nowhere else, and commits', async () => {
    withRepository();
    for (const path of [folder, join(folder, 'bare.git')]) chmodSync(path, 0o755);
    execFileSync('chown', ['-R', String(UNKNOWN_UID), join(folder, 'bare.git')]);
    execFileSync('mkdir', [join(folder, 'session')]);
    chownSync(join(folder, 'session'), UNKNOWN_UID, UNKNOWN_UID);
    const { child, exited } = start({}, UNKNOWN_UID);
    peer.turn('req-1', { prompt: 'console.log(6 * 7)' });
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(peer.terminal('req-1')).toMatchObject({ status: 'complete' });
    writeFileSync(session('workspace/session_repo/made'), '');
    chownSync(session('workspace/session_repo/made'), UNKNOWN_UID, UNKNOWN_UID);
    child.kill('SIGTERM');
    await expect(exited).resolves.toBe(0);
    expect(git(session('workspace/session_repo'), 'log', '-1', '--format=%s')).toBe('Work of session sess-1');
    expect(statSync(session('home')).uid).toBe(UNKNOWN_UID);
  });
});

describe('the termination log', () => {
  const sentence = (): string => readFileSync(join(folder, 'termination-log'), 'utf8');

  it.each([
    ['a variable that is missing', { AIWM_AGENT_ID: '' }, 2, /^AIWM_AGENT_ID is missing/],
    [
      'a folder that cannot be made',
      { REINS_STATE_DIR: '/dev/null/state' },
      2,
      /^REINS_STATE_DIR \/dev\/null\/state cannot be written/,
    ],
    [
      'a controller that is not there',
      { AIWM_BASE_URL: 'http://user:hidden@127.0.0.1:9', REINS_CONNECT_WITHIN_MS: '1500' },
      69,
      /^the controller at http:\/\/\S+127\.0\.0\.1:9 was not reached within 1\.5 s: .*ECONNREFUSED/,
    ],
  ])('has one sentence about %s', async (_what, env, code, expected) => {
    const { exited } = start(env);
    await expect(exited).resolves.toBe(code);
    expect(sentence()).toMatch(expected);
    expect(sentence()).not.toContain('hidden');
  });

  it('has one sentence about a refusal, without the secret and not longer than 1 KiB', async () => {
    const message = `no to ${SECRET} ${'x'.repeat(3000)}`;
    peer.refuseConnect.push({ status: 401, body: { code: 'invalid_credentials', message } });
    await expect(start().exited).resolves.toBe(1);
    expect(sentence()).toMatch(/^no to /);
    expect(sentence()).not.toContain(SECRET);
    expect(Buffer.byteLength(sentence())).toBe(1024);
  });

  it('has one sentence about a repository that cannot be cloned', async () => {
    if (peer.session !== null)
      peer.session = { ...peer.session, repository: { url: join(folder, 'none.git'), branch: 'main' } };
    await expect(start().exited).resolves.toBe(78);
    expect(sentence()).toMatch(/none\.git \(session_repo\) cannot be cloned/);
  });
});
