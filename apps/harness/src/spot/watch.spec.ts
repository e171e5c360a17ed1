import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@reins/shared/util/clock';
import { createLogger, Secrets } from '../log/logger';
import { type SpotNotice } from './notice';
import { SpotWatch } from './watch';

type Answer = { status: number; body?: string };
let server: Server;
let origin: string;
let answer: (request: IncomingMessage) => Answer;
const requests: string[] = [];
const lines: string[] = [];
const log = createLogger({ level: 'debug', secrets: new Secrets(), write: (line) => lines.push(line) });
const folder = mkdtempSync(join(tmpdir(), 'reins-spot-'));
const watches: SpotWatch[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const { status, body } = answer(request);
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  requests.length = lines.length = 0;
});
afterEach(() => watches.splice(0).forEach((watch) => watch.stop()));
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function watch(settings: { url?: string; tokenUrl?: string; file?: string }): {
  notice: Promise<SpotNotice>;
  seen: SpotNotice[];
} {
  const seen: SpotNotice[] = [];
  const notice = new Promise<SpotNotice>((resolve) => {
    const onNotice = (found: SpotNotice): void => {
      seen.push(found);
      resolve(found);
    };
    const sources = { url: undefined, tokenUrl: undefined, file: undefined, ...settings };
    const started = new SpotWatch({ ...sources, pollMs: 20, onNotice, log, clock: systemClock });
    watches.push(started);
    void started.run();
  });
  return { notice, seen };
}

async function asked(times: number): Promise<void> {
  while (requests.length < times) await systemClock.sleep(5);
}

describe('SpotWatch', () => {
  it('Google: says its header, FALSE is nothing, TRUE is the notice', async () => {
    let said = 'FALSE';
    answer = ({ headers }) =>
      headers['metadata-flavor'] === 'Google' ? { status: 200, body: said } : { status: 403, body: 'no header' };
    const { notice, seen } = watch({ url: `${origin}/computeMetadata/v1/instance/preempted` });
    await asked(3);
    expect(seen).toEqual([]);
    said = 'TRUE';
    expect(await notice).toEqual({ at: undefined });
    expect(lines).toEqual([]);
  });

  it('Amazon: a token is fetched where one is demanded, fetched again when it has ended, and 404 is nothing', async () => {
    let token = 'one';
    const service: { body?: string } = {};
    answer = ({ method, url, headers }) => {
      if (method === 'PUT' && url === '/latest/api/token') {
        const lifetime = Number(headers['x-aws-ec2-metadata-token-ttl-seconds']);
        return lifetime > 0 ? { status: 200, body: token } : { status: 400 };
      }
      if (headers['x-aws-ec2-metadata-token'] !== token) return { status: 401 };
      return service.body === undefined ? { status: 404 } : { status: 200, body: service.body };
    };
    const { notice, seen } = watch({ url: `${origin}/latest/meta-data/spot/instance-action` });
    await asked(4);
    token = 'two';
    const before = requests.length;
    await asked(before + 4);
    expect(seen).toEqual([]);
    expect(requests.filter((request) => request.startsWith('PUT'))).toHaveLength(2);
    service.body = '{"action":"stop","time":"2030-01-01T00:00:00Z"}';
    expect(await notice).toEqual({ at: Date.UTC(2030, 0, 1) });
    expect(lines).toEqual([]);
  });

  it('a token from a place of its own is fetched before anything is asked', async () => {
    answer = ({ method, headers }) => {
      if (method === 'PUT') return { status: 200, body: 'own\n' };
      return headers['x-aws-ec2-metadata-token'] === 'own' ? { status: 200, body: 'now' } : { status: 404 };
    };
    const { notice } = watch({ url: `${origin}/notice`, tokenUrl: `${origin}/token` });
    expect(await notice).toEqual({ at: undefined });
    expect(requests).toEqual(['PUT /token', 'GET /notice']);
  });

  it('Azure: only an event that ends the machine', async () => {
    let events: object[] = [{ EventType: 'Reboot' }];
    answer = ({ headers }) =>
      headers['metadata'] === 'true' ? { status: 200, body: JSON.stringify({ Events: events }) } : { status: 400 };
    const { notice, seen } = watch({ url: `${origin}/metadata/scheduledevents?api-version=2020-07-01` });
    await asked(3);
    expect(seen).toEqual([]);
    events = [{ EventType: 'Preempt', NotBefore: 'Tue, 01 Jan 2030 00:00:00 GMT' }];
    expect(await notice).toEqual({ at: Date.UTC(2030, 0, 1) });
  });

  it('a file: nothing while it is missing or empty', async () => {
    const file = join(folder, 'notice');
    const { notice, seen } = watch({ file });
    await systemClock.sleep(60);
    writeFileSync(file, '');
    await systemClock.sleep(60);
    expect(seen).toEqual([]);
    writeFileSync(file, 'going');
    expect(await notice).toEqual({ at: undefined });
  });

  it('a service that fails is complained of once, and asked on', async () => {
    answer = () => ({ status: 500 });
    const { notice } = watch({ url: `${origin}/x` });
    await asked(4);
    answer = () => ({ status: 200, body: 'TRUE' });
    await notice;
    expect(lines.filter((line) => line.includes('cannot be learned'))).toHaveLength(1);
  });
});
