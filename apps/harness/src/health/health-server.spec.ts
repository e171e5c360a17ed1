import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, Secrets } from '../log/logger';
import { type HealthReport } from './health-report';
import { HealthServer, USUAL_PORT } from './health-server';

let folder: string;
let lines: string[];
let status: HealthReport['status'];
let ready: boolean;
let broken: boolean;
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reins-health-'));
  lines = [];
  status = 'ok';
  ready = true;
  broken = false;
});
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  rmSync(folder, { recursive: true, force: true });
});

async function start(port: number | undefined, file = join(folder, 'state/health.json')): Promise<HealthServer> {
  const server = new HealthServer({
    host: '127.0.0.1',
    port,
    file,
    health: () => {
      if (broken) throw new Error('there is a fault');
      return { status } as HealthReport;
    },
    isReady: () => ready,
    metrics: () => '# HELP x y\n',
    log: createLogger({ level: 'debug', secrets: new Secrets(), write: (line) => lines.push(line) }),
  });
  await server.start();
  cleanups.push(() => server.stop());
  return server;
}

/** Somebody else's server, on the given port or any. */
async function occupy(port = 0): Promise<number> {
  const server: Server = createServer();
  const listening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (!listening) return port;
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const get = (server: HealthServer, path: string, method = 'GET'): Promise<Response> =>
  fetch(`http://127.0.0.1:${server.port}${path}`, { method });

describe('HealthServer', () => {
  it.each([
    ['ok', 200],
    ['degraded', 200],
    ['down', 503],
  ] as const)('answers /health %s with %d', async (verdict, expected) => {
    const server = await start(0);
    status = verdict;
    const answer = await get(server, '/health');
    expect(answer.status).toBe(expected);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.json()).toEqual({ status: verdict });
  });

  it('answers /ready by whether there is a configuration', async () => {
    const server = await start(0);
    expect((await get(server, '/ready')).status).toBe(200);
    ready = false;
    const answer = await get(server, '/ready');
    expect([answer.status, await answer.json()]).toEqual([503, { ready: false }]);
  });

  it("answers /metrics in Prometheus' format, query or not", async () => {
    const server = await start(0);
    const answer = await get(server, '/metrics?name=x');
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await answer.text()).toBe('# HELP x y\n');
  });

  it('answers nothing else', async () => {
    const server = await start(0);
    expect((await get(server, '/')).status).toBe(404);
    const post = await get(server, '/health', 'POST');
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await get(server, '/health', 'HEAD')).status).toBe(200);
  });

  it('survives an answer that cannot be made', async () => {
    const server = await start(0);
    broken = true;
    expect((await get(server, '/health')).status).toBe(500);
    expect((await get(server, '/ready')).status).toBe(200);
  });

  it('writes where it listens, for its owner only, and takes it away again', async () => {
    const server = await start(0);
    const file = join(folder, 'state/health.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      url: `http://127.0.0.1:${server.port}`,
      host: '127.0.0.1',
      port: server.port,
      pid: process.pid,
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(lines.join('')).toContain(`"port":${server.port}`);
    server.stop();
    expect(existsSync(file)).toBe(false);
    expect(server.port).toBeUndefined();
  });

  it('goes to any port where the usual one is taken', async () => {
    await occupy(USUAL_PORT);
    const server = await start(undefined);
    expect(server.port).not.toBe(USUAL_PORT);
    expect((await get(server, '/health')).status).toBe(200);
  });

  it('is not there, with a warning, where the chosen port is taken or there is no such address', async () => {
    const server = await start(await occupy());
    expect(server.port).toBeUndefined();
    expect(existsSync(join(folder, 'state/health.json'))).toBe(false);
    expect(lines.filter((line) => line.includes('"level":"warn"') && line.includes('EADDRINUSE'))).toHaveLength(1);
  });

  it('listens all the same where the file cannot be written', async () => {
    writeFileSync(join(folder, 'state'), 'a file where a folder should be');
    const server = await start(0);
    expect((await get(server, '/health')).status).toBe(200);
    expect(lines.join('')).toContain('the address of /health could not be written');
  });
});
