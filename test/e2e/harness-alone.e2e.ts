import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AiwmServer } from '../../apps/harness/src/link/testing/aiwm-server';
import { AGENT_ID, ScriptedPeer, SECRET } from '../../apps/harness/src/link/testing/scripted-peer';

const ROOT = join(__dirname, '../..');
const MAIN = join(ROOT, 'dist/apps/harness/main.js');
const DISCORD = 'value-of-the-discord-token-of-this-test';

let folder: string;
const cleanups: (() => unknown)[] = [];

beforeAll(() => {
  execFileSync('npx', ['nest', 'build', 'harness'], { cwd: ROOT, stdio: 'ignore' });
}, 120_000);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reins-harness-alone-'));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(folder, { recursive: true, force: true });
});

interface Running {
  child: ChildProcess;
  exited: Promise<number | null>;
  stderr: () => string;
}

function start(env: Record<string, string>): Running {
  const child = spawn(process.execPath, [MAIN], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      AIWM_AGENT_ID: AGENT_ID,
      AIWM_AGENT_SECRET: SECRET,
      REINS_DRAIN_SECONDS: '1',
      REINS_HEALTH_PORT: '0',
      LOG_LEVEL: 'debug',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  cleanups.push(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, exited, stderr: () => stderr };
}

const HEALTH_FILE = (): string => join(folder, '.reins/health.json');

async function look(path: string): Promise<{ status: number; text: string }> {
  const { url } = JSON.parse(readFileSync(HEALTH_FILE(), 'utf8')) as { url: string };
  const answer = await fetch(`${url}${path}`);
  return { status: answer.status, text: await answer.text() };
}

const health = async (): Promise<Record<string, unknown>> =>
  JSON.parse((await look('/health')).text) as Record<string, unknown>;

async function until(what: string, condition: () => boolean | Promise<boolean>, detail: () => string): Promise<void> {
  for (let i = 0; i < 800; i++) {
    // What is not there yet may refuse the connection.
    if (await Promise.resolve(condition()).catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`never came: ${what}; ${detail()}`);
}

/** A port at which nothing listens now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a harness whose controller is away', () => {
  it('works from local configuration, says so, and connects when the controller comes up', async () => {
    const port = await freePort();
    writeFileSync(join(folder, 'instruction.md'), 'Be kind.');
    const { child, exited, stderr } = start({
      AIWM_BASE_URL: `http://127.0.0.1:${port}`,
      AIWM_RETRY_SECONDS: '1',
      DISCORD_TOKEN: DISCORD,
    });
    await until('/health', async () => existsSync(HEALTH_FILE()) && (await look('/health')).status === 200, stderr);
    expect(await health()).toMatchObject({ status: 'degraded', controller: { connected: false, mode: 'local' } });
    await until('local mode', async () => (await look('/ready')).status === 200, stderr);
    expect(await health()).toMatchObject({
      status: 'degraded',
      controller: {
        enabled: true,
        connected: false,
        url: `http://127.0.0.1:${port}`,
        mode: 'local',
        lastConnectedAt: null,
        lastError: expect.stringContaining('ECONNREFUSED') as string,
      },
      heartbeat: { lastAt: null },
      configVersion: null,
      sessions: 0,
    });
    expect((await look('/metrics')).text).toMatch(/^aiwm_connection_failure_total [4-9]/m);

    const peer = await ScriptedPeer.start(port);
    cleanups.push(() => peer.stop());
    peer.session = null;
    await until('connected', async () => (await health())['status'] === 'ok', stderr);
    await until('a heartbeat', () => peer.bodies('heartbeat').length > 0, stderr);
    expect(await health()).toMatchObject({
      status: 'ok',
      controller: { connected: true, mode: 'remote', lastError: null, lastConnectedAt: expect.any(String) as string },
      heartbeat: { lastAt: expect.any(String) as string, lastError: null },
      configVersion: 'v1',
    });
    const { text } = await look('/metrics');
    expect(text).toMatch(/^aiwm_connection_success_total 1$/m);
    expect(text).toMatch(/^aiwm_config_update_total 1$/m);
    expect(text).toMatch(/^reins_harness_connected 1$/m);

    const said = `${stderr()}${text}${(await look('/health')).text}`;
    for (const secret of [SECRET, DISCORD, 'token-1-of-the-scripted-agent']) expect(said).not.toContain(secret);
    child.kill('SIGTERM');
    await expect(exited).resolves.toBe(0);
    expect(existsSync(HEALTH_FILE())).toBe(false);
  }, 60_000);

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'leaves on %s with 0 while it looks for it',
    async (signal) => {
      const { child, exited, stderr } = start({ AIWM_BASE_URL: `http://127.0.0.1:${await freePort()}` });
      await until('a first failure', () => stderr().includes('connect failed'), stderr);
      child.kill(signal);
      await expect(exited).resolves.toBe(0);
    },
    30_000,
  );

  it('that was started for one session neither works alone nor listens', async () => {
    const { stderr } = start({
      AIWM_BASE_URL: `http://127.0.0.1:${await freePort()}`,
      REINS_MANAGED: 'true',
      REINS_HEALTH_PORT: '',
    });
    await until('all attempts', () => stderr().includes('the controller cannot be reached'), stderr);
    expect(stderr()).not.toContain('working from local configuration');
    expect(existsSync(HEALTH_FILE())).toBe(false);
  }, 30_000);
});

describe('a harness without a controller', () => {
  it('works with AIWM_ENABLED=false and nothing else set', async () => {
    const { child, exited, stderr } = start({ AIWM_ENABLED: 'false', AIWM_AGENT_ID: '', AIWM_AGENT_SECRET: '' });
    await until('/ready', async () => existsSync(HEALTH_FILE()) && (await look('/ready')).status === 200, stderr);
    expect(await health()).toMatchObject({
      status: 'ok',
      controller: { enabled: false, connected: false, url: null, mode: 'local' },
    });
    child.kill('SIGTERM');
    await expect(exited).resolves.toBe(0);
  }, 30_000);

  it('goes on where the port of /health is taken, and with REINS_HEALTH_PORT=off', async () => {
    const other: Server = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => other.close());
    const taken = String((other.address() as AddressInfo).port);
    for (const port of [taken, 'off']) {
      const { child, exited, stderr } = start({ AIWM_ENABLED: 'false', REINS_HEALTH_PORT: port });
      await until('work', () => stderr().includes('working from local configuration'), stderr);
      if (port === taken) await until('the warning', () => stderr().includes('EADDRINUSE'), stderr);
      child.kill('SIGTERM');
      await expect(exited).resolves.toBe(0);
      expect(existsSync(HEALTH_FILE())).toBe(false);
    }
  }, 30_000);
});

describe('a harness at a controller without a link', () => {
  it('connects, beats over HTTP and says goodbye', async () => {
    const server = await AiwmServer.start();
    cleanups.push(() => server.down());
    const { child, exited, stderr } = start({ AIWM_BASE_URL: server.url });
    await until('a heartbeat', () => server.of('heartbeat').length === 1, stderr);
    await until('ok', async () => (await health())['status'] === 'ok', stderr);
    child.kill('SIGTERM');
    await expect(exited).resolves.toBe(0);
    expect(server.requests.map(({ action }) => action)).toEqual(['connect', 'heartbeat', 'disconnect']);
  }, 30_000);

  it('that does not know the agent ends with 1, a line to look for and one alert', async () => {
    const server = await AiwmServer.start();
    cleanups.push(() => server.down());
    server.script['connect'] = [{ status: 404, body: { message: `Agent with ID ${AGENT_ID} not found` } }];
    const alerts = await AiwmServer.start();
    cleanups.push(() => alerts.down());
    const { exited, stderr } = start({
      AIWM_BASE_URL: server.url,
      REINS_ALERT_URL: `${alerts.url}/hooks/of-this-test`,
    });
    await expect(exited).resolves.toBe(1);
    const reason = `Agent with ID ${AGENT_ID} not found: the agent does not exist (any more); check AIWM_AGENT_ID`;
    const line = stderr()
      .split('\n')
      .find((text) => text.includes('"msg":"ALERT"'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({
      level: 'error',
      event: 'agent.not_found',
      agentId: AGENT_ID,
      reason,
    });
    expect(alerts.requests).toMatchObject([
      { action: 'of-this-test', body: { event: 'agent.not_found', agentId: AGENT_ID, reason } },
    ]);
    expect(stderr().trim().split('\n').at(-1)).toBe(`reins-harness: ${reason}`);
    expect(stderr()).not.toContain('of-this-test');
  }, 30_000);
});
