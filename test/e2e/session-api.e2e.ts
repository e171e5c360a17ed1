import { once } from 'node:events';
import { join } from 'node:path';
import { type CreatedApiKey } from '@reins/shared/api/access';
import { type SessionLogEvent } from '@reins/shared/link/events';
import { type PulledTurn } from '@reins/shared/link/frames';
import { systemClock } from '@reins/shared/util';
import { createParser } from 'eventsource-parser';
import { ApiClient, credentialsOf, eventually } from '../support/api-client';
import { endOf, ScriptedHarness, textOf } from '../support/scripted-harness';
import { boot, type Booted, newOrg } from './callers';
import { clientOf, openRaw, page, replayed, seqs } from './session-viewers';

const HARNESS_COMMAND = JSON.stringify([process.execPath, join(__dirname, '../support/idle-harness.mjs')]);
/** Room for a few pushes, so that only a viewer that really stops is behind. */
const BACKLOG_BYTES = 1024 * 1024;
/** More than the kernel keeps for a connection nobody reads. */
const FLOOD_BYTES = 24 * 1024 * 1024;

interface Scene {
  id: string;
  harness: ScriptedHarness;
}

let controller: Booted;
let orgId: string;
let owner: ApiClient;
let workerId: string;
const harnesses: ScriptedHarness[] = [];

beforeAll(async () => {
  controller = await boot({
    HARNESS_COMMAND,
    SSE_PING_MS: '50',
    SSE_BACKLOG_BYTES: String(BACKLOG_BYTES),
    LAUNCH_TIMEOUT_MS: '3600000',
  });
  orgId = newOrg();
  owner = await clientOf(controller, 'organization.owner', orgId);
  workerId = await owner.worker();
}, 60_000);

afterEach(() => {
  for (const harness of harnesses.splice(0)) harness.close();
});

afterAll(() => controller?.close(), 60_000);

jest.setTimeout(60_000);

/** An active session whose harness the test is. */
async function scene(client = owner, at = controller, worker = workerId): Promise<Scene> {
  const { id } = await client.session(worker);
  const harness = await ScriptedHarness.connect(at.url, await credentialsOf(at.dataDir, id));
  harnesses.push(harness);
  await harness.start();
  await client.until(id, 'active');
  return { id, harness };
}

/** Queues a prompt and takes its turn; `answer` resolves when the turn has its end. */
async function takeTurn({ id, harness }: Scene, client = owner) {
  const answer = client.call('POST', `/sessions/${id}/prompt`, { prompt: 'p' });
  return { answer, turn: await harness.take() };
}

/** A session with one finished turn of `texts`, each pushed by itself. */
async function told(texts: readonly string[], client = owner): Promise<Scene & { turn: PulledTurn }> {
  const made = await scene(client);
  const { answer, turn } = await takeTurn(made, client);
  for (const [index, text] of texts.entries()) await made.harness.push(index + 1, [textOf(turn, text)]);
  await made.harness.push(texts.length + 1, [endOf(turn)]);
  expect((await answer).status).toBe(200);
  return { ...made, turn };
}

describe('who may do what with a session', () => {
  it('another organisation sees nothing of it and cannot touch it', async () => {
    const { id, turn } = await told(['secret']);
    const { blobId } = await owner.must<{ blobId: string }>('PUT', `/sessions/${id}/blobs`, 'bytes');
    const operations = await owner.must<{ id: string }[]>('GET', `/sessions/${id}/operations`);
    const stranger = await clientOf(controller, 'universe.owner', newOrg());
    const own = `/sessions/${id}`;
    const reads = [
      ...['', '/events', '/events?follow=false', '/telemetry', '/stats', `/blobs/${blobId}`].map((path) => own + path),
      ...[`/turns/${turn.turnId}`, `/turns/${turn.turnId}/prompt`].map((path) => own + path),
      `/operations/${operations[0]?.id}`,
    ];
    for (const path of reads)
      expect({ path, ...(await stranger.call('GET', path)) }).toMatchObject({ path, status: 404 });
    const writes: [string, string, unknown][] = [
      ['POST', `${own}/prompt`, { prompt: 'x' }],
      ['POST', `${own}/stream`, { prompt: 'x' }],
      ['POST', `${own}/abort`, {}],
      ['PUT', `${own}/blobs`, 'x'],
      ['DELETE', own, undefined],
      ['POST', '/sessions', { workerId }],
    ];
    for (const [method, path, body] of writes) {
      const answer = await stranger.call(method, path, body);
      expect({ path, status: answer.status, body: answer.body }).toMatchObject({ path, status: 404 });
    }
    for (const list of ['/sessions', `/admin/workers/${workerId}/sessions`]) {
      expect(await stranger.call('GET', list)).toMatchObject({ status: 200, body: [] });
    }
    expect((await stranger.call('GET', `${own}/operations`)).status).toBe(404);
    expect((await owner.get(id)).status).toBe('active');
    expect(await owner.telemetry(id)).toHaveLength(1);
  });

  it('a viewer reads and does nothing else', async () => {
    const { id } = await told(['a']);
    const viewer = await clientOf(controller, 'organization.viewer', orgId);
    for (const path of ['', '/telemetry', '/stats', '/operations', '/events?follow=false']) {
      expect((await viewer.call('GET', `/sessions/${id}${path}`)).status).toBe(200);
    }
    expect(seqs(await replayed(viewer, id, 0)).length).toBeGreaterThan(0);
    for (const [method, path, body] of [
      ['POST', `/sessions/${id}/prompt`, { prompt: 'x' }],
      ['POST', `/sessions/${id}/stream`, { prompt: 'x' }],
      ['POST', `/sessions/${id}/abort`, {}],
      ['PUT', `/sessions/${id}/blobs`, 'x'],
      ['DELETE', `/sessions/${id}`, undefined],
      ['POST', '/sessions', { workerId }],
    ] as const) {
      expect(await viewer.call(method, path, body)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    }
    expect(await owner.telemetry(id)).toHaveLength(1);
  });

  it("an agent's token reaches its own blobs and prompts, and nothing else of the API", async () => {
    const [mine, other] = [await told(['a']), await told(['b'])];
    const agent = new ApiClient(controller.url, { Authorization: `Bearer ${mine.harness.configuration.token}` });
    for (const path of [
      '',
      '/events?follow=false',
      '/telemetry',
      '/stats',
      '/operations',
      `/turns/${mine.turn.turnId}`,
    ]) {
      expect((await agent.call('GET', `/sessions/${mine.id}${path}`)).status).toBe(403);
    }
    for (const [method, path, body] of [
      ['GET', '/sessions', undefined],
      ['POST', '/sessions', { workerId }],
      ['POST', `/sessions/${mine.id}/prompt`, { prompt: 'x' }],
      ['POST', `/sessions/${mine.id}/abort`, {}],
      ['DELETE', `/sessions/${mine.id}`, undefined],
    ] as const) {
      expect((await agent.call(method, path, body)).status).toBe(403);
    }
    const plain = { 'Content-Type': 'text/plain' };
    const { blobId } = await agent.must<{ blobId: string }>('PUT', `/sessions/${mine.id}/blobs`, 'long', plain);
    expect(await owner.must('GET', `/sessions/${mine.id}/blobs/${blobId}`)).toBe('long');
    expect((await agent.call('GET', `/sessions/${mine.id}/blobs/${blobId}`)).status).toBe(403);
    expect((await agent.call('PUT', `/sessions/${other.id}/blobs`, 'long', plain)).status).toBe(404);
    const promptOf = ({ id, turn }: typeof mine): string => `/sessions/${id}/turns/${turn.turnId}/prompt`;
    expect(await agent.must('GET', promptOf(mine))).toEqual({ prompt: 'p' });
    expect([403, 404]).toContain((await agent.call('GET', promptOf(other))).status);
  });

  it('an API key works as its role', async () => {
    const { key } = await owner.must<CreatedApiKey>('POST', '/admin/api-keys', {
      name: 'ci',
      roles: ['organization.editor'],
    });
    const { id, turn } = await told(['by key'], new ApiClient(controller.url, { Authorization: `Bearer ${key}` }));
    expect(await owner.must('GET', `/sessions/${id}/turns/${turn.turnId}`)).toMatchObject({ response: 'by key' });
    expect((await new ApiClient(controller.url).call('GET', `/sessions/${id}`)).status).toBe(401);
  });
});

describe('the event log', () => {
  it('is read page by page, from any cursor, without a gap', async () => {
    const { id } = await told(['a', 'b', 'c', 'd']);
    const whole = await page(owner, id, 'limit=1000');
    const tail = whole.items.length;
    expect(whole).toMatchObject({ nextAfter: tail, caughtUp: true });
    expect(whole.items.map(({ seq }) => seq)).toEqual(whole.items.map((_, index) => index + 1));
    for (const limit of [1, 2, 3, tail]) {
      const read: SessionLogEvent[] = [];
      for (let after = 0, done = false; !done;) {
        const one = await page(owner, id, `after=${after}&limit=${limit}`);
        expect(one.items.length).toBe(Math.min(limit, tail - after));
        read.push(...one.items);
        [after, done] = [one.nextAfter, one.caughtUp];
      }
      expect(read).toEqual(whole.items);
    }
    expect(await page(owner, id, `after=${tail + 5}`)).toEqual({ items: [], nextAfter: tail + 5, caughtUp: true });
  });

  it('L3: a viewer that reconnects at every cursor sees the same log', async () => {
    const { id } = await told(['a', 'b', 'c', 'd', 'e', 'f']);
    const whole = (await page(owner, id, 'limit=1000')).items;
    for (let cursor = 0; cursor <= whole.length; cursor++) {
      const messages = await replayed(owner, id, cursor, cursor % 2 === 0);
      const caughtUp = messages.pop();
      expect(caughtUp).toMatchObject({ event: 'caught-up', data: JSON.stringify({ tail: whole.length }) });
      expect(messages.map(({ data }) => JSON.parse(data) as unknown)).toEqual(whole.slice(cursor));
      expect(seqs(messages)).toEqual(whole.slice(cursor).map(({ seq }) => seq));
    }
  });

  it('L3: a viewer cut off at any byte while events arrive misses none and doubles none by id', async () => {
    const made = await scene();
    const { answer, turn } = await takeTurn(made);
    const seen = new Map<number, unknown>();
    let [cursor, cuts, ended] = [0, 0, false];
    const view = async (): Promise<void> => {
      const leave = new AbortController();
      // Every length from a few bytes, which tear the first event, to several events.
      let left = 40 + ((cuts++ * 37) % 700);
      const parser = createParser({
        onEvent: ({ id, data, event }) => {
          if (event !== undefined || id === undefined) return;
          expect(Number(id)).toBe(cursor + 1);
          seen.set((cursor = Number(id)), JSON.parse(data));
          ended ||= data.includes('"turn.completed"');
        },
      });
      const token = await viewerToken();
      const headers = { Authorization: `Bearer ${token}`, 'Last-Event-ID': String(cursor) };
      const url = `${controller.url}/sessions/${made.id}/events`;
      const { body } = await fetch(url, { headers, signal: leave.signal });
      for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
        parser.feed(Buffer.from(chunk.subarray(0, left)).toString('latin1'));
        left -= chunk.length;
        if (left <= 0 || ended) break;
      }
      leave.abort();
    };
    const viewing = (async () => {
      while (!ended) await view();
    })();
    for (let n = 1; n <= 60; n++) {
      await made.harness.push(n, [textOf(turn, `text ${n}`)]);
      await systemClock.sleep(5);
    }
    await made.harness.push(61, [endOf(turn)]);
    await Promise.all([answer, viewing]);
    expect([...seen.values()]).toEqual((await owner.log(made.id)).filter(({ seq }) => seq <= cursor));
    expect(seen.size).toBeGreaterThan(60);
    expect(cuts).toBeGreaterThan(5);
  });

  it('a follower is told when it has caught up, gets what comes then, and is pinged in silence', async () => {
    const made = await scene();
    const { answer, turn } = await takeTurn(made);
    const order: string[] = [];
    const leave = new AbortController();
    const tail = (await page(owner, made.id, 'limit=1000')).nextAfter;
    for await (const message of owner.sse('GET', `/sessions/${made.id}/events`, undefined, {}, leave.signal)) {
      order.push(message.event ?? `${(JSON.parse(message.data) as SessionLogEvent).type}`);
      if (message.event === 'caught-up') {
        expect(JSON.parse(message.data)).toEqual({ tail });
        await made.harness.push(1, [textOf(turn, 'live'), endOf(turn)]);
      }
      if (order.includes('turn.completed')) break;
    }
    leave.abort();
    await answer;
    expect(order.slice(order.indexOf('caught-up'))).toEqual(['caught-up', 'text', 'turn.completed']);

    const quiet = await openRaw(controller.url, made.id, await viewerToken());
    let text = '';
    quiet.on('data', (chunk: Buffer) => (text += String(chunk)));
    await eventually(async () => expect(text.split(': ping\n\n').length).toBeGreaterThan(3));
    quiet.destroy();
  });

  it('L13: a viewer that does not read is told it lags, and slows nobody', async () => {
    const made = await scene();
    const { answer, turn } = await takeTurn(made);
    const slow = await openRaw(controller.url, made.id, await viewerToken());
    slow.pause();
    const leave = new AbortController();
    let fast = 0;
    const reading = (async () => {
      for await (const { data } of owner.sse('GET', `/sessions/${made.id}/events`, undefined, {}, leave.signal)) {
        fast += data.length;
        if (data.includes('"turn.completed"')) return;
      }
    })();
    const text = 'x'.repeat(60_000);
    for (let n = 1; n < FLOOD_BYTES / text.length; n += 4) {
      await made.harness.push(
        n,
        Array.from({ length: 4 }, () => textOf(turn, text)),
      );
    }
    const next = Math.ceil((FLOOD_BYTES / text.length - 1) / 4) * 4 + 1;
    await made.harness.push(next, [endOf(turn)]);
    // The other one has everything while the slow one has not read a byte.
    await reading;
    leave.abort();
    expect((await answer).status).toBe(200);
    expect(fast).toBeGreaterThan(FLOOD_BYTES * 0.95);

    const parts: Buffer[] = [];
    slow.on('data', (chunk: Buffer) => parts.push(chunk));
    slow.resume();
    await once(slow, 'close');
    const got = Buffer.concat(parts).toString('latin1');
    expect(got).toContain('event: lagged\ndata: {"reason":');
    const read = [...got.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(read).toEqual(read.map((_, index) => index + 1));
    const last = (await owner.log(made.id)).length;
    expect(read.length).toBeLessThan(last);
    // What it has not got is there for it.
    expect(seqs(await replayed(owner, made.id, last - 2))).toEqual([last - 1, last]);
  });
});

describe('a log that is kept to a size', () => {
  it('L14: a cursor from before what is kept is answered with reset, others are not', async () => {
    const small = await boot({ HARNESS_COMMAND, EVENTS_MAX_BYTES_PER_SESSION: '3000', LAUNCH_TIMEOUT_MS: '3600000' });
    try {
      const client = await clientOf(small, 'organization.owner', newOrg());
      const made = await scene(client, small, await client.worker());
      const { answer, turn } = await takeTurn(made, client);
      for (let n = 1; n <= 30; n++) await made.harness.push(n, [textOf(turn, `${n} ${'x'.repeat(300)}`)]);
      await made.harness.push(31, [endOf(turn)]);
      await answer;
      const firstSeq = await eventually(async () => {
        const { reset } = await page(client, made.id, 'after=0');
        if (reset === undefined) throw new Error('nothing was trimmed yet');
        return reset.firstSeq;
      }, 20_000);
      expect(firstSeq).toBeGreaterThan(10);

      const messages = await replayed(client, made.id, 0, true);
      expect(messages[0]).toMatchObject({ event: 'reset', data: JSON.stringify({ firstSeq }) });
      const tail = (await page(client, made.id, `after=${firstSeq - 1}`)).nextAfter;
      expect(seqs(messages)).toEqual(Array.from({ length: tail - firstSeq + 1 }, (_, index) => firstSeq + index));

      expect((await page(client, made.id, `after=${firstSeq - 2}`)).reset).toEqual({ firstSeq });
      for (const after of [firstSeq - 1, firstSeq, tail]) {
        expect((await page(client, made.id, `after=${after}`)).reset).toBeUndefined();
        expect((await replayed(client, made.id, after)).some(({ event }) => event === 'reset')).toBe(false);
      }
    } finally {
      await small.close();
    }
  }, 90_000);
});

const viewerToken = (): Promise<string> => controller.sign({ sub: 'v', roles: ['organization.viewer'], orgId });
