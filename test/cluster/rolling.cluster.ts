import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedMongoServer, startEmbeddedMongo } from '@reins/embedded-mongo';
import { type SessionLogEvent } from '@reins/shared/link/events';
import { systemClock } from '@reins/shared/util';
import { eventually } from '../support/api-client';
import { RedisServer } from '../support/redis-server';
import { reachableFromPods } from './support/cluster';
import { install, type Installation } from './support/installation';
import { kubectl } from './support/kubectl';

const SESSIONS = 10;
const LINES = 400;
const WORK = `for (let i = 0; i < ${LINES}; i++) { console.log(i); await new Promise((go) => setTimeout(go, 150)); }`;

/** What pods cannot reach on loopback is let in on every address. */
async function open(to: NetConnectOpts): Promise<Server> {
  const server = createServer((outside) => {
    const inside = connect(to);
    outside.pipe(inside).pipe(outside);
    for (const socket of [outside, inside]) socket.on('error', () => [outside, inside].forEach((one) => one.destroy()));
  });
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

describe('two controllers in a cluster', () => {
  let folder: string;
  let database: EmbeddedMongoServer;
  let redis: RedisServer;
  let doors: Server[];
  let reins: Installation;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'reins-rolling-'));
    database = await startEmbeddedMongo({ dir: join(folder, 'database'), port: 0 });
    redis = await RedisServer.start();
    doors = [await open({ port: Number(new URL(database.uri).port) }), await open({ path: redis.url })];
    const [mongoDoor, redisDoor] = doors.map((door) => reachableFromPods(portOf(door)));
    reins = await install({
      replicas: 2,
      mongodb: { uri: `mongodb://${mongoDoor}/reins?directConnection=true` },
      redis: { url: `redis://${redisDoor}` },
    });
  }, 300_000);

  afterAll(async () => {
    await reins?.remove();
    doors?.forEach((door) => door.close());
    await redis?.close();
    await database?.close();
    rmSync(folder, { recursive: true, force: true });
  }, 240_000);

  /** Follows a session's log as a browser would: whenever the stream ends it comes back with the last id it had. */
  async function follow(id: string, until: AbortSignal): Promise<{ events: SessionLogEvent[]; returns: number }> {
    const events: SessionLogEvent[] = [];
    let [returns, last] = [-1, 0];
    const isDone = (): boolean => events.some(({ type }) => type === 'turn.completed');
    while (!isDone() && !until.aborted) {
      returns++;
      const headers: Record<string, string> = last === 0 ? {} : { 'Last-Event-ID': String(last) };
      try {
        for await (const message of reins.api.sse('GET', `/sessions/${id}/events`, undefined, headers, until)) {
          if (message.id === undefined || message.event === 'caught-up') continue;
          last = Number(message.id);
          events.push(JSON.parse(message.data) as SessionLogEvent);
          if (isDone()) break;
        }
      } catch {
        await systemClock.sleep(250);
      }
    }
    return { events, returns };
  }

  it('are replaced one after the other under ten streaming session pods: every client resumes, every log is exact', async () => {
    const worker = await reins.worker();
    const ids = await Promise.all(Array.from({ length: SESSIONS }, async () => (await reins.api.session(worker)).id));
    for (const id of ids) await reins.api.until(id, 'active', 120_000);
    const over = AbortSignal.timeout(240_000);
    const followed = ids.map((id) => follow(id, over));
    for (const id of ids) {
      // Its answer dies with its controller; the turn does not.
      reins.api.call('POST', `/sessions/${id}/prompt`, { prompt: WORK }).catch(() => undefined);
    }
    await systemClock.sleep(5_000);
    await kubectl(['rollout', 'restart', 'deployment/reins', '-n', reins.namespace]);
    await kubectl([
      'rollout',
      'status',
      'deployment/reins',
      '-n',
      reins.namespace,
      '--timeout=180s',
      '--request-timeout=0',
    ]);

    const results = await Promise.all(followed);
    expect(over.aborted).toBe(false);
    expect(results.some(({ returns }) => returns > 0)).toBe(true);
    for (const [index, { events }] of results.entries()) {
      const id = ids[index] ?? '';
      const seen = events.map(({ seq }) => seq);
      expect(seen).toEqual(seen.map((_, at) => at + 1));
      const lines = events.filter(({ type }) => type === 'console').map(({ data }) => String(data['text']).trim());
      expect(lines).toEqual(Array.from({ length: LINES }, (_, line) => String(line)));
      const stored = (await reins.api.log(id)).slice(0, events.length);
      expect(digest(events)).toBe(digest(stored));
    }
    const states = await Promise.all(ids.map((id) => reins.api.get(id)));
    expect(states.map(({ status }) => status)).toEqual(ids.map(() => 'active'));

    await Promise.all(ids.map((id) => reins.api.must('DELETE', `/sessions/${id}`)));
    await eventually(async () => expect(await reins.remains()).toEqual([0, 0, 0, 0, 0]), 120_000, 500);
  }, 480_000);
});

function digest(events: readonly SessionLogEvent[]): string {
  return createHash('sha256').update(JSON.stringify(events)).digest('hex');
}
