import { join } from 'node:path';
import { systemClock } from '@reins/shared/util';
import { startController } from '../../apps/controller/src/bootstrap';
import { loadConfig } from '../../apps/controller/src/config/config';
import { ApiClient, credentialsOf, eventually } from '../support/api-client';
import { bootController, type TestController } from '../support/controller';
import { RedisServer } from '../support/redis-server';
import { endOf, ScriptedHarness, textOf } from '../support/scripted-harness';

const HARNESS_COMMAND = JSON.stringify([process.execPath, join(__dirname, '../support/idle-harness.mjs')]);
const LEASE_MS = 3_000;

const hasRedis = RedisServer.isInstalled();
if (!hasRedis) process.stderr.write('SKIPPED: controllers with Redis; install redis-server to run these tests\n');

/** Two controllers on one database; `a` has it. */
interface Pair {
  a: TestController;
  b: TestController;
  apiA: ApiClient;
  apiB: ApiClient;
  workerId: string;
}

const open: ScriptedHarness[] = [];

async function bootPair(more: Record<string, string>): Promise<Pair> {
  const env = { HARNESS_COMMAND, REPLICA_LEASE_MS: String(LEASE_MS), ...more };
  const a = await bootController(env);
  const shared = { ...env, MONGODB_URI: a.mongoUri, REINS_DATA_DIR: a.dataDir };
  const b = await bootController(shared);
  const [apiA, apiB] = [new ApiClient(a.url), new ApiClient(b.url)];
  return { a, b, apiA, apiB, workerId: await apiA.worker() };
}

async function connect(url: string, dataDir: string, id: string, incarnation?: string): Promise<ScriptedHarness> {
  const harness = await ScriptedHarness.connect(url, await credentialsOf(dataDir, id), incarnation);
  open.push(harness);
  return harness;
}

/** A session made at A whose harness, the test, is connected to B. */
async function sessionAtB({ a, b, apiA, workerId }: Pair): Promise<{ id: string; harness: ScriptedHarness }> {
  const { id } = await apiA.session(workerId);
  const harness = await connect(b.url, a.dataDir, id);
  await harness.start();
  await apiA.until(id, 'active');
  return { id, harness };
}

/** Follows a session's log until an event of the type came; the numbers. */
async function follow(api: ApiClient, id: string, until: (type: string) => boolean, after = 0): Promise<number[]> {
  const seqs: number[] = [];
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 20_000);
  try {
    for await (const message of api.sse('GET', `/sessions/${id}/events?after=${after}`, undefined, {}, stop.signal)) {
      if (message.id === undefined || message.event !== undefined) continue;
      seqs.push(Number(message.id));
      if (until((JSON.parse(message.data) as { type: string }).type)) break;
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
  return seqs;
}

const consecutive = (seqs: number[]): boolean =>
  seqs.every((seq, index) => index === 0 || seq === (seqs[index - 1] ?? 0) + 1);
const isEnd = (type: string): boolean => type === 'turn.completed';
const texts = async (api: ApiClient, id: string): Promise<unknown[]> =>
  (await api.log(id)).filter(({ type }) => type === 'text').map(({ data }) => data['text']);

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

afterEach(() => {
  for (const harness of open.splice(0)) harness.close();
});

/** What has to hold whether the controllers hear each other or have to look. */
function together(pair: () => Pair): void {
  it('a prompt at A is answered by the harness at B', async () => {
    const { apiA } = pair();
    const { id, harness } = await sessionAtB(pair());
    const pulled = harness.pull();
    await systemClock.sleep(200);
    const answer = apiA.prompt(id, 'hello');
    const turn = await pulled;
    expect(turn.prompt).toBe('hello');
    await harness.call('turn.started', harness.about(turn));
    await harness.push(1, [textOf(turn, 'one '), textOf(turn, 'two'), endOf(turn)]);
    expect(await answer).toMatchObject({ response: 'one two', tokensIn: 3 });
  });

  it('/stream at A shows the turn of the harness at B to its end', async () => {
    const { apiA } = pair();
    const { id, harness } = await sessionAtB(pair());
    const types: string[] = [];
    const streamed = (async () => {
      for await (const { data } of apiA.sse('POST', `/sessions/${id}/stream`, { prompt: 'go' })) {
        types.push((JSON.parse(data) as { type: string }).type);
      }
    })();
    const turn = await harness.take();
    await harness.push(1, [textOf(turn, 'a')]);
    await systemClock.sleep(50);
    await harness.push(2, [textOf(turn, 'b'), endOf(turn)]);
    await streamed;
    expect(types).toEqual(['start', 'text', 'text', 'complete']);
  });

  it('a follower at A gets every event taken at B, in order and once', async () => {
    const { apiA, apiB } = pair();
    const { id, harness } = await sessionAtB(pair());
    const followed = follow(apiA, id, isEnd);
    const queued = apiB.call('POST', `/sessions/${id}/prompt`, { prompt: 'go' });
    const turn = await harness.take();
    for (let n = 1; n <= 60; n++) await harness.push(n, [textOf(turn, `${n} `)]);
    await harness.push(61, [endOf(turn)]);
    const seqs = await followed;
    await queued;
    expect(consecutive(seqs)).toBe(true);
    expect(seqs).toEqual((await apiA.log(id)).map(({ seq }) => seq).slice(0, seqs.length));
  }, 30_000);

  it('an abort at A reaches the harness at B', async () => {
    const { apiA } = pair();
    const { id, harness } = await sessionAtB(pair());
    const answer = apiA.call<{ code: string }>('POST', `/sessions/${id}/prompt`, { prompt: 'long' });
    const turn = await harness.take();
    await apiA.must('POST', `/sessions/${id}/abort`, {});
    await eventually(async () => {
      expect(harness.received).toContainEqual(expect.objectContaining({ event: 'command' }));
    });
    await harness.push(1, [endOf(turn, 'cancelled')]);
    expect((await answer).status).toBeGreaterThanOrEqual(400);
  });

  it('a harness that goes from A to B and back carries its turn on, and the answer is whole', async () => {
    const { a, b, apiA, workerId } = pair();
    const { id } = await apiA.session(workerId);
    const first = await connect(a.url, a.dataDir, id);
    await first.start();
    const answer = apiA.prompt(id, 'go');
    const turn = await first.take();
    const held = { turnId: turn.turnId, generation: turn.generation, state: 'running' as const };
    await first.push(1, [textOf(turn, 'a1 ')]);
    const second = await connect(b.url, a.dataDir, id, first.incarnation);
    await second.hello({ next: 2, spooledFrom: 2, turns: [held] });
    await second.push(2, [textOf(turn, 'b2 ')]);
    const third = await connect(a.url, a.dataDir, id, first.incarnation);
    const welcome = await third.hello({ next: 3, spooledFrom: 3, turns: [held] });
    expect(welcome.sessions[0]).toMatchObject({ acked: 2, turns: [{ verdict: 'continue' }] });
    await third.push(3, [textOf(turn, 'a3'), endOf(turn)]);
    expect(await answer).toMatchObject({ response: 'a1 b2 a3' });
    expect(await texts(apiA, id)).toEqual(['a1 ', 'b2 ', 'a3']);
    const next = apiA.prompt(id, 'again');
    const again = await third.take();
    await third.push(5, [textOf(again, 'x'), endOf(again)]);
    expect(await next).toMatchObject({ response: 'x' });
  });

  it('a socket lost at A after the hello at B changes nothing', async () => {
    const { a, b, apiA, workerId } = pair();
    const { id } = await apiA.session(workerId);
    const first = await connect(a.url, a.dataDir, id);
    await first.start();
    const second = await connect(b.url, a.dataDir, id, first.incarnation);
    await second.hello();
    first.close();
    await systemClock.sleep(500);
    expect((await apiA.get(id)).phase).toBe('ready');
    const answer = apiA.prompt(id, 'still there?');
    const turn = await second.take();
    await second.push(1, [textOf(turn, 'yes'), endOf(turn)]);
    expect(await answer).toMatchObject({ response: 'yes' });
  });

  it('one of them leads', async () => {
    const { a, b } = pair();
    await eventually(async () => {
      expect((await metric(a.url, 'reins_leader')) + (await metric(b.url, 'reins_leader'))).toBe(1);
    });
    expect(await metric(a.url, 'reins_replicas')).toBe(2);
  });
}

describe('two controllers without Redis', () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await bootPair({ HEARTBEAT_MS: '1000' });
  }, 60_000);
  afterAll(async () => {
    await pair.b.close();
    await pair.a.close();
  }, 60_000);

  together(() => pair);

  it('a second one is refused where it was told so', async () => {
    const env = { REPLICAS_WITHOUT_REDIS: 'refuse', REPLICA_LEASE_MS: '1000', MONGODB_URI: pair.a.mongoUri };
    const config = loadConfig(
      { ...env, PORT: '0', LOG_LEVEL: 'silent' },
      () => 'a secret that only this test knows, long enough',
    );
    await expect(startController(config)).rejects.toThrow(/Another controller, rep-.*REPLICAS_WITHOUT_REDIS=refuse/);
  }, 30_000);
});

(hasRedis ? describe : describe.skip)('two controllers with Redis', () => {
  let redis: RedisServer;
  let pair: Pair;
  beforeAll(async () => {
    redis = await RedisServer.start();
    pair = await bootPair({ REDIS_URL: redis.url });
    await eventually(async () => expect(await metric(pair.b.url, 'reins_bus_up')).toBe(1));
    await eventually(async () => expect(await metric(pair.a.url, 'reins_bus_up')).toBe(1));
  }, 60_000);
  afterAll(async () => {
    await pair.b.close();
    await pair.a.close();
    await redis.close();
  }, 60_000);

  together(() => pair);

  it('a held pull at B is answered at once, not by the next look', async () => {
    const { id, harness } = await sessionAtB(pair);
    const pulled = harness.pull();
    await systemClock.sleep(100);
    const from = performance.now();
    const answer = pair.apiA.prompt(id, 'now');
    const turn = await pulled;
    // The look for missed rings comes every 10 s while Redis is there.
    expect(performance.now() - from).toBeLessThan(5_000);
    await harness.push(1, [endOf(turn)]);
    await answer;
  });

  it('a newer process at B ends the socket of the older one at A', async () => {
    const { id } = await pair.apiA.session(pair.workerId);
    const older = await connect(pair.a.url, pair.a.dataDir, id);
    await older.start();
    const newer = await connect(pair.b.url, pair.a.dataDir, id);
    await newer.start();
    await eventually(async () => {
      expect(older.received).toContainEqual({ event: 'bye', body: { reason: 'superseded' } });
      expect(older.socket.connected).toBe(false);
    });
    expect(newer.socket.connected).toBe(true);
  });

  it('a newer socket of the same process at B ends the older one at A without a word', async () => {
    const { id } = await pair.apiA.session(pair.workerId);
    const older = await connect(pair.a.url, pair.a.dataDir, id);
    await older.start();
    const newer = await connect(pair.b.url, pair.a.dataDir, id, older.incarnation);
    await newer.hello();
    await eventually(async () => expect(older.socket.connected).toBe(false));
    expect(older.received.filter(({ event }) => event === 'bye')).toEqual([]);
    expect(newer.socket.connected).toBe(true);
  });

  it('an ended session at A ends the socket of its agent at B', async () => {
    const { id, harness } = await sessionAtB(pair);
    await pair.apiA.must('DELETE', `/sessions/${id}`);
    await eventually(async () => {
      const command = harness.received.find(({ event }) => event === 'command')?.body as { n: number } | undefined;
      expect(command).toBeDefined();
      await harness.call('command.ack', { sessionId: id, lane: 'main', n: command?.n ?? 0, ok: true, result: {} });
    });
    await eventually(async () => expect(harness.socket.connected).toBe(false));
    await pair.apiA.until(id, 'ended');
  }, 40_000);

  it('says in /ready and in the metrics when Redis is away, and nothing is lost while it is', async () => {
    const { id, harness } = await sessionAtB(pair);
    const followed = follow(pair.apiA, id, isEnd);
    const answered = pair.apiA.call('POST', `/sessions/${id}/prompt`, { prompt: 'go' });
    const turn = await harness.take();
    for (let n = 1; n <= 20; n++) await harness.push(n, [textOf(turn, `${n} `)]);
    await redis.kill();
    for (let n = 21; n <= 40; n++) await harness.push(n, [textOf(turn, `${n} `)]);
    await eventually(async () => {
      expect(await metric(pair.a.url, 'reins_bus_up')).toBe(0);
      expect(await pair.apiA.must('GET', '/ready')).toMatchObject({ checks: { database: 'up', redis: 'down' } });
    });
    // While nobody rings: a prompt at A and its harness at B find each other by looking.
    const meanwhile = await sessionAtB(pair);
    const answer = pair.apiA.prompt(meanwhile.id, 'anyone?');
    const other = await meanwhile.harness.take();
    await meanwhile.harness.push(1, [textOf(other, 'yes'), endOf(other)]);
    expect(await answer).toMatchObject({ response: 'yes' });

    await redis.resume();
    for (let n = 41; n <= 60; n++) await harness.push(n, [textOf(turn, `${n} `)]);
    await eventually(async () => expect(await metric(pair.a.url, 'reins_bus_up')).toBe(1));
    await harness.push(61, [endOf(turn)]);
    const seqs = await followed;
    await answered;
    expect(consecutive(seqs)).toBe(true);
    expect(seqs).toHaveLength((await pair.apiA.log(id)).length);
    expect(await texts(pair.apiA, id)).toEqual(Array.from({ length: 60 }, (_, index) => `${index + 1} `));
    expect(await pair.apiA.must('GET', '/ready')).toMatchObject({ checks: { database: 'up', redis: 'up' } });
  }, 60_000);

  it('the lead goes to the other one when its holder leaves', async () => {
    const c = await bootController({
      HARNESS_COMMAND,
      REDIS_URL: redis.url,
      REPLICA_LEASE_MS: String(LEASE_MS),
      MONGODB_URI: pair.a.mongoUri,
    });
    await c.close();
    await eventually(async () => {
      expect((await metric(pair.a.url, 'reins_leader')) + (await metric(pair.b.url, 'reins_leader'))).toBe(1);
    }, 10_000);
  }, 40_000);
});
