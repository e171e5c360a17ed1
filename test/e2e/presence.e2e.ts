import { setTimeout as sleep } from 'node:timers/promises';
import { getConnectionToken } from '@nestjs/mongoose';
import { type AgentEventPage, type AgentEventView, type AgentMetricsPage } from '@reins/shared/api/agent-presence';
import { type AgentView } from '@reins/shared/api/agents';
import { newObjectId } from '@reins/shared/ids';
import { type ConnectResponse } from '@reins/shared/link/connect';
import { type Connection } from 'mongoose';
import { PresenceService } from '../../apps/controller/src/agents/presence/presence.service';
import { Metrics } from '../../apps/controller/src/metrics/metrics';
import { type FrameBody } from '@reins/shared/link/socket-events';
import { startInterval } from '@reins/shared/util';
import { ApiClient, eventually } from '../support/api-client';
import { ScriptedHarness } from '../support/scripted-harness';
import { boot, type Booted, type Caller, newOrg } from './callers';

jest.setTimeout(60_000);

const SECRET = 'test-secret-123456';
const HEARTBEAT_MS = 400;
const GRACE_MS = 1_000;
const BEAT: FrameBody<'heartbeat'> = {
  status: 'online',
  metrics: { cpu: 1 },
  alive: true,
  turns: [],
  lastCommand: {},
  configVersion: '',
};

describe('presence', () => {
  let controller: Booted;
  let org: string;
  let owner: Caller;
  const harnesses: ScriptedHarness[] = [];
  const tokens = new Map<Caller, string>();

  beforeAll(async () => {
    controller = await boot({
      HEARTBEAT_MS: String(HEARTBEAT_MS),
      RECONNECT_GRACE_MS: String(GRACE_MS),
      AGENT_BEAT_SECONDS: '1',
      AGENT_METRICS_EVERY_SECONDS: '1',
      CONNECT_FAILURES_PER_ADDRESS: '100000',
    });
  }, 60_000);

  afterAll(() => controller.close(), 60_000);

  beforeEach(async () => {
    org = newOrg();
    owner = await controller.user(org);
  });

  afterEach(() => {
    for (const harness of harnesses.splice(0)) harness.close();
  });

  const create = async (): Promise<string> => {
    const body = { name: 'n', description: '', status: 'active', type: 'autonomous', secret: SECRET };
    return ((await owner.post('/agents', body).expect(201)).body as AgentView)._id;
  };
  const connected = async (id: string, more: object = {}): Promise<Caller> => {
    const answer = await controller.anonymous.post(`/agents/${id}/connect`, { secret: SECRET, ...more }).expect(200);
    const { token } = answer.body as ConnectResponse;
    const caller = controller.bearer(token);
    tokens.set(caller, token);
    return caller;
  };
  const harness = async (agentId: string, incarnation?: string): Promise<ScriptedHarness> => {
    const one = await ScriptedHarness.connect(controller.url, { agentId, secret: SECRET }, incarnation);
    harnesses.push(one);
    return one;
  };
  const reopened = async (before: ScriptedHarness): Promise<ScriptedHarness> => {
    const { url, credentials, incarnation, configuration } = before;
    const again = await ScriptedHarness.open(url, credentials, incarnation, configuration);
    harnesses.push(again);
    return again;
  };
  const beat = (id: string, me: Caller, metrics = {}) =>
    me.post(`/agents/${id}/heartbeat`, { status: 'online', metrics }).expect(200);
  const view = async (id: string): Promise<AgentView> =>
    (await owner.get(`/agents/${id}`).expect(200)).body as AgentView;
  const page = async (id: string, query = ''): Promise<AgentEventPage> =>
    (await owner.get(`/agents/${id}/events${query}`).expect(200)).body as AgentEventPage;
  /** Oldest first, as `type reason`. */
  const story = async (id: string): Promise<string[]> => {
    const { items } = await page(id);
    return items.reverse().map(({ type, reason }) => (reason === null ? type : `${type} ${reason}`));
  };
  const tells = (id: string, expected: string[]): Promise<void> =>
    eventually(async () => expect(await story(id)).toEqual(expected));

  describe('of clients without a socket', () => {
    it('O1 an agent that misses three beats is offline, and its next beat brings it back', async () => {
      const id = await create();
      const me = await connected(id);
      expect(await view(id)).toMatchObject({ connected: true });
      for (let i = 0; i < 4; i++) {
        await sleep(700);
        await beat(id, me);
      }
      expect(await view(id)).toMatchObject({ connected: true });
      await eventually(async () => expect(await view(id)).toMatchObject({ connected: false }));
      await tells(id, ['online connected', 'offline missed_beats']);
      await beat(id, me);
      expect(await view(id)).toMatchObject({ connected: true });
      await tells(id, ['online connected', 'offline missed_beats', 'online heartbeat']);
    });

    it('C11 disconnect makes it offline at once and keeps when it last connected', async () => {
      const id = await create();
      const me = await connected(id);
      const { lastConnectedAt } = await view(id);
      await me.post(`/agents/${id}/disconnect`, { reason: 'deploy' }).expect(200, { success: true });
      expect(await view(id)).toMatchObject({ connected: false, lastConnectedAt });
      expect(lastConnectedAt).not.toBeNull();
      // A beat that was on its way does not take the goodbye back; a connect does.
      await beat(id, me);
      expect(await view(id)).toMatchObject({ connected: false });
      await me.post(`/agents/${id}/disconnect`).expect(200);
      await connected(id);
      await tells(id, ['online connected', 'offline disconnected', 'online connected']);
    });

    it('C12 connectionCount counts connections, not token refreshes', async () => {
      const id = await create();
      const me = await connected(id);
      await connected(id);
      await connected(id);
      expect(await view(id)).toMatchObject({ connectionCount: 1 });
      await me.post(`/agents/${id}/disconnect`).expect(200);
      await connected(id);
      expect(await view(id)).toMatchObject({ connectionCount: 2 });
      await connected(id, { incarnation: 'a' });
      await connected(id, { incarnation: 'a' });
      expect(await view(id)).toMatchObject({ connectionCount: 3 });
    });

    it('S2 heartbeat and disconnect need the token of that very agent', async () => {
      const [one, two] = [await create(), await create()];
      await connected(one);
      const other = await connected(two);
      for (const caller of [other, owner]) {
        await caller.post(`/agents/${one}/heartbeat`, { status: 'busy' }).expect(403);
        await caller.post(`/agents/${one}/disconnect`).expect(403);
      }
      await controller.anonymous.post(`/agents/${one}/disconnect`).expect(401);
      expect(await view(one)).toMatchObject({ connected: true, lastHeartbeatAt: null });
    });

    it('S6 suspend and delete make an agent offline at once; its beats are 401 and 404', async () => {
      const [one, two, three] = [await create(), await create(), await create()];
      const [first, second, third] = [await connected(one), await connected(two), await connected(three)];
      await owner.put(`/agents/${one}`, { status: 'suspended' }).expect(200);
      await owner.post(`/agents/${two}/credentials/regenerate`).expect(200);
      await first.post(`/agents/${one}/heartbeat`, { status: 'online' }).expect(401);
      await second.post(`/agents/${two}/heartbeat`, { status: 'online' }).expect(401);
      await tells(one, ['online connected', 'offline suspended']);
      await tells(two, ['online connected', 'offline revoked']);
      expect(await view(one)).toMatchObject({ connected: false });
      await owner.delete(`/agents/${three}`).expect(200);
      await third.post(`/agents/${three}/heartbeat`, { status: 'online' }).expect(404);
      await eventually(async () =>
        expect(await stored('agent_events', { agentId: three })).toEqual([
          expect.objectContaining({ reason: 'connected' }),
          expect.objectContaining({ reason: 'deleted' }),
        ]),
      );
    });

    it('C10 heartbeats take online, busy and idle, and keep status and metrics', async () => {
      const id = await create();
      const me = await connected(id);
      for (const status of ['online', 'busy', 'idle']) {
        await me.post(`/agents/${id}/heartbeat`, { status, metrics: { cpu: 45, queue: { depth: 2 } } }).expect(200);
        expect(await view(id)).toMatchObject({ heartbeat: { status, metrics: { cpu: 45, queue: { depth: 2 } } } });
      }
      for (const status of ['active', 'offline', '', null]) {
        await me.post(`/agents/${id}/heartbeat`, { status }).expect(400);
      }
      expect(await view(id)).toMatchObject({ status: 'active', heartbeat: { status: 'idle' } });
    });
  });

  describe('of harnesses on the socket', () => {
    it('O1 a harness that stops beating is offline, and back with its next beat', async () => {
      const id = await create();
      const one = await harness(id);
      for (let i = 0; i < 5; i++) {
        await one.call('heartbeat', BEAT);
        await sleep(HEARTBEAT_MS);
      }
      expect(await view(id)).toMatchObject({ connected: true });
      await eventually(async () => expect(await view(id)).toMatchObject({ connected: false }));
      await one.call('heartbeat', BEAT);
      expect(await view(id)).toMatchObject({ connected: true });
      await tells(id, ['online connected', 'offline missed_beats', 'online heartbeat']);
    });

    it('O2 heartbeats keep it online, however long, without an event', async () => {
      const id = await create();
      const one = await harness(id);
      const until = performance.now() + 4 * 3 * HEARTBEAT_MS;
      while (performance.now() < until) {
        await one.call('heartbeat', BEAT);
        expect(await view(id)).toMatchObject({ connected: true });
        await sleep(HEARTBEAT_MS / 2);
      }
      await tells(id, ['online connected']);
    });

    it('O2 a crash is noticed within the grace; a connection that comes back in time is no news', async () => {
      const id = await create();
      const one = await harness(id);
      await one.call('heartbeat', BEAT);
      for (let flap = 0; flap < 3; flap++) {
        harnesses.at(-1)?.close();
        await sleep(GRACE_MS / 5);
        await (await reopened(one)).call('heartbeat', BEAT);
      }
      await tells(id, ['online connected']);
      harnesses.at(-1)?.close();
      await tells(id, ['online connected', 'offline socket_closed']);
      expect(await view(id)).toMatchObject({ connected: false });
      await reopened(one);
      await tells(id, ['online connected', 'offline socket_closed', 'online socket_opened']);
    });

    it('is offline at once when a harness that said it was leaving is gone', async () => {
      const id = await create();
      const one = await harness(id);
      await one.call('draining', { reason: 'SIGTERM', deadlineMs: 1000 });
      expect(await view(id)).toMatchObject({ connected: true });
      one.close();
      await tells(id, ['online connected', 'offline disconnected']);
    });

    it('a late goodbye of a superseded process does not touch its successor', async () => {
      const id = await create();
      const one = await harness(id, 'inc-a');
      await harness(id, 'inc-b');
      await eventually(async () => expect(one.socket.connected).toBe(false));
      await sleep(GRACE_MS / 2);
      expect(await view(id)).toMatchObject({ connected: true });
      const { items } = await page(id);
      expect(items.map(({ type }) => type)).toEqual(['superseded', 'online']);
      expect(items[0]?.details).toEqual({ incarnation: 'inc-a', by: 'inc-b' });
    });

    it('a connection whose end was not announced here ends with its next beat', async () => {
      const [one, two] = [await create(), await create()];
      const [superseded, suspended] = [await harness(one, 'inc-a'), await harness(two)];
      // As another controller would do it: in the database only.
      const agents = controller.app.get<Connection>(getConnectionToken()).collection<{ _id: string }>('agents');
      await agents.updateOne({ _id: one }, { $set: { incarnation: 'inc-b' } });
      await agents.updateOne({ _id: two }, { $set: { status: 'suspended' } });
      expect(await superseded.call('heartbeat', BEAT)).toMatchObject({ error: { code: 'agent_superseded' } });
      await suspended.call('heartbeat', BEAT);
      await eventually(async () => {
        expect(superseded.received).toContainEqual({ event: 'bye', body: { reason: 'superseded' } });
        expect(suspended.received).toContainEqual({ event: 'bye', body: { reason: 'revoked' } });
        expect([superseded.socket.connected, suspended.socket.connected]).toEqual([false, false]);
      });
      expect(await stored('agents', { _id: one })).toMatchObject([{ lastHeartbeatAt: null }]);
    });
  });

  it('O9 several harnesses of one agent are a warning in its view and an event', async () => {
    const id = await create();
    expect(await view(id)).toMatchObject({ warnings: [] });
    for (const incarnation of ['a', 'b', 'c']) await connected(id, { incarnation });
    expect(await view(id)).toMatchObject({ warnings: [] });
    await connected(id, { incarnation: 'd' });
    expect(await view(id)).toMatchObject({ warnings: ['conflict'] });
    await tells(id, ['online connected', 'superseded', 'superseded', 'superseded', 'conflict']);
    const ofOrg = (await owner.get('/agents').expect(200)).body as { data: AgentView[] };
    expect(ofOrg.data).toMatchObject([{ warnings: ['conflict'] }]);
  });

  describe('events', () => {
    it('are listed newest first, page by page, and only in their organisation', async () => {
      const id = await create();
      const me = await connected(id);
      for (let i = 0; i < 3; i++) {
        await me.post(`/agents/${id}/disconnect`).expect(200);
        await connected(id);
      }
      await eventually(async () => expect((await page(id)).items).toHaveLength(7));
      const ids: string[] = [];
      let cursor: string | null = '';
      for (let pages = 0; cursor !== null; pages++) {
        expect(pages).toBeLessThan(5);
        const one: AgentEventPage = await page(id, `?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
        ids.push(...one.items.map((event) => event.id));
        cursor = one.nextCursor;
      }
      expect(ids).toEqual((await page(id)).items.map((event) => event.id));
      expect([...ids].sort().reverse()).toEqual(ids);

      const stranger = await controller.user(newOrg());
      await stranger.get(`/agents/${id}/events`).expect(404);
      await stranger.get(`/agents/${id}/metrics`).expect(404);
      await owner.get(`/agents/${id}/events?cursor=nonsense`).expect(400);
      await owner.get(`/agents/${id}/events?limit=101`).expect(400);
      await owner.get(`/agents/${newObjectId()}/events`).expect(404);
      await me.get(`/agents/${id}/events`).expect(403);
      await controller.anonymous.get('/agents/events').expect(401);
    });

    it('are streamed to the organisation as they happen, and again from where a viewer stopped', async () => {
      const id = await create();
      const strange = await controller.user(newOrg());
      const viewer = await openViewer(org);
      const stranger = await openViewer(newOrg());
      const me = await connected(id);
      await viewer.until(1);
      await me.post(`/agents/${id}/disconnect`).expect(200);
      await viewer.until(2);
      viewer.close();
      await connected(id);
      await me.post(`/agents/${id}/disconnect`).expect(200);

      const [first] = viewer.seen;
      const resumed = await openViewer(org, first?.id);
      await resumed.until(3);
      await connected(id);
      await resumed.until(4);
      resumed.close();
      const whole = (await page(id)).items.reverse();
      await eventually(async () => expect((await page(id)).items).toHaveLength(5));
      expect(viewer.seen).toEqual(whole.slice(0, 2));
      expect(resumed.seen).toEqual((await page(id)).items.reverse().slice(1));
      expect(stranger.seen).toEqual([]);
      stranger.close();
      await strange.get('/agents/events').set({ 'Last-Event-ID': 'nonsense' }).expect(400);
    });

    it('miss none and double none when another controller stores one late', async () => {
      const viewer = await openViewer(org);
      const id = await create();
      const me = await connected(id);
      await viewer.until(1);
      // Minted before the one already shown, stored after it.
      const shown = viewer.seen[0] as AgentEventView;
      const late = `${shown.id.slice(0, 13)}${'0'.repeat(16)}`;
      const event = { orgId: org, agentId: id, type: 'offline', reason: 'missed_beats', at: new Date(), details: {} };
      const expiresAt = new Date(Date.now() + 60_000);
      await collection('agent_events').insertOne({ _id: late, ...event, ...{ expiresAt } });
      await viewer.until(2);
      await me.post(`/agents/${id}/disconnect`).expect(200);
      await viewer.until(3);
      await sleep(2500);
      expect(viewer.seen.map((one) => one.id)).toEqual([shown.id, late, viewer.seen[2]?.id]);
      viewer.close();
    });
  });

  describe('metrics', () => {
    it('C10 keep a history, at most one sample an interval, that is read by time and page', async () => {
      const id = await create();
      const me = await connected(id);
      const began = Date.now();
      const sent: number[] = [];
      let lastBeatAt = began;
      for (let cpu = 0; Date.now() < began + 3500; cpu++) {
        sent.push(cpu);
        lastBeatAt = Date.now();
        await beat(id, me, { cpu });
        await sleep(100);
      }
      const history = async (query = ''): Promise<AgentMetricsPage> =>
        (await owner.get(`/agents/${id}/metrics${query}`).expect(200)).body as AgentMetricsPage;
      const { items } = await eventually(async () => {
        const found = await history();
        const newest = Date.parse(found.items[0]?.at ?? '');
        expect(Math.floor(newest / 1000)).toBeGreaterThanOrEqual(Math.floor(lastBeatAt / 1000));
        return found;
      });
      expect(items.length).toBeGreaterThanOrEqual(3);
      const seconds = items.map(({ at }) => Math.floor(Date.parse(at) / 1000));
      expect(new Set(seconds).size).toBe(seconds.length);
      expect([...seconds].sort((a, b) => b - a)).toEqual(seconds);
      expect(items.every(({ status, metrics }) => status === 'online' && sent.includes(metrics['cpu'] as number))).toBe(
        true,
      );
      const first = await history('?limit=2');
      const second = await history(`?limit=1000&cursor=${first.nextCursor ?? ''}`);
      expect([...first.items, ...second.items]).toEqual(items);
      expect(second.nextCursor).toBeNull();
      const [newest, middle] = items;
      expect((await history(`?from=${newest?.at ?? ''}`)).items).toEqual([newest]);
      expect((await history(`?to=${middle?.at ?? ''}`)).items).toEqual(items.slice(1));
      await owner.get(`/agents/${id}/metrics?from=yesterday`).expect(400);
      const [document] = await stored('agent_metrics', { orgId: org });
      const { at, expiresAt } = document as { at: Date; expiresAt: Date };
      expect(expiresAt.getTime() - at.getTime()).toBe(72 * 3_600_000);
    });

    it('count the agents that are online', async () => {
      const metrics = controller.app.get(Metrics);
      const count = async (): Promise<number> =>
        Number(/^reins_agents_online (\d+)$/m.exec(await metrics.text())?.[1] ?? NaN);
      await eventually(async () => expect(await count()).toBe(await controller.app.get(PresenceService).countOnline()));
      const before = await count();
      const ids = [await create(), await create()];
      const loops = await Promise.all(
        ids.map(async (id) => {
          const one = await harness(id);
          const run = async (): Promise<void> => void (await one.call('heartbeat', BEAT));
          return startInterval({ everyMs: HEARTBEAT_MS / 4, run, onError: () => undefined });
        }),
      );
      await eventually(async () => expect(await count()).toBeGreaterThanOrEqual(2));
      expect(before).toBeGreaterThanOrEqual(0);
      for (const loop of loops) await loop.stop();
      await eventually(async () => expect(await count()).toBe(0));
    });
  });

  describe('of several controllers, one after or beside the other', () => {
    let second: Booted;

    beforeAll(async () => {
      const { host, port, name } = controller.app.get<Connection>(getConnectionToken());
      second = await boot({
        HEARTBEAT_MS: String(HEARTBEAT_MS),
        AGENT_BEAT_SECONDS: '1',
        MONGODB_URI: `mongodb://${host}:${port}/${name}`,
      });
    }, 60_000);

    afterAll(() => second.close(), 60_000);

    it('O1 both watch, and each silence is one event', async () => {
      const ids = await Promise.all(Array.from({ length: 20 }, () => create()));
      await Promise.all(ids.map((id) => connected(id)));
      await eventually(async () => {
        const events = await stored('agent_events', { orgId: org, type: 'offline' });
        expect(events).toHaveLength(ids.length);
      });
      await sleep(1000);
      const events = await stored('agent_events', { orgId: org });
      expect(
        events
          .filter(({ type }) => type === 'offline')
          .map(({ agentId }) => agentId)
          .sort(),
      ).toEqual(ids.sort());
      expect(events).toHaveLength(2 * ids.length);
    });

    it('a viewer of one sees what happens at the other', async () => {
      const viewer = await openViewer(org, undefined, second);
      const id = await create();
      await connected(id);
      await viewer.until(1);
      expect(viewer.seen).toMatchObject([{ agentId: id, type: 'online', reason: 'connected' }]);
      viewer.close();
    });

    it('O1 after a restart nobody is online for ever, and nobody offline because nobody listened', async () => {
      const ids = [await create(), await create()];
      const [alive, dead] = ids as [string, string];
      const me = await connected(alive);
      await connected(dead);
      // They were last heard of before the controllers went away for an hour.
      const hourAgo = new Date(Date.now() - 3_600_000);
      const third = boot({
        HEARTBEAT_MS: String(HEARTBEAT_MS),
        AGENT_BEAT_SECONDS: '1',
        MONGODB_URI: await emptyDatabaseWith(ids, { online: true, aliveUntil: hourAgo, lastHeartbeatAt: hourAgo }),
      });
      const restarted = await third;
      try {
        const viewed = async (id: string): Promise<boolean> => {
          const user = await restarted.user(org);
          return ((await user.get(`/agents/${id}`).expect(200)).body as AgentView).connected;
        };
        expect([await viewed(alive), await viewed(dead)]).toEqual([true, true]);
        const bearer = restarted.bearer(tokens.get(me) as string);
        const until = performance.now() + 4500;
        while (performance.now() < until) {
          await bearer.post(`/agents/${alive}/heartbeat`, { status: 'online' }).expect(200);
          expect(await viewed(alive)).toBe(true);
          await sleep(300);
        }
        expect([await viewed(alive), await viewed(dead)]).toEqual([true, false]);
      } finally {
        await restarted.close();
      }
    }, 60_000);
  });

  /** The URI of another database that has copies of these agents. */
  async function emptyDatabaseWith(ids: string[], change: object): Promise<string> {
    const connection = controller.app.get<Connection>(getConnectionToken());
    const name = `${connection.name}-restarted`;
    const rows = await stored('agents', { _id: { $in: ids } });
    const copies = rows.map((row) => ({ ...row, ...change }));
    await connection
      .useDb(name)
      .collection<{ _id: string }>('agents')
      .insertMany(copies as never[]);
    return `mongodb://${connection.host}:${connection.port}/${name}`;
  }

  const collection = (name: string) =>
    controller.app.get<Connection>(getConnectionToken()).collection<{ _id: string }>(name);
  const stored = (name: string, filter: object): Promise<Record<string, unknown>[]> =>
    collection(name).find(filter).sort({ _id: 1 }).toArray();

  /** Follows the events of an organisation's agents. */
  async function openViewer(
    orgId: string,
    lastEventId?: string,
    at: Booted = controller,
  ): Promise<{ seen: AgentEventView[]; until: (count: number) => Promise<void>; close: () => void }> {
    const token = await controller.sign({ sub: `viewer@${orgId}`, roles: ['organization.viewer'], orgId });
    const client = new ApiClient(at.url, { Authorization: `Bearer ${token}` });
    const seen: AgentEventView[] = [];
    const closed = new AbortController();
    const headers: Record<string, string> = lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId };
    const stream = client.sse('GET', '/agents/events', undefined, headers, closed.signal);
    const reading = (async () => {
      for await (const { id, data } of stream) {
        const event = JSON.parse(data) as AgentEventView;
        expect(id).toBe(event.id);
        seen.push(event);
      }
    })().catch((error: unknown) => {
      if (!closed.signal.aborted) throw error;
    });
    reading.catch(() => undefined);
    // Nothing is sent on an empty stream; the subscription is there once the request has arrived.
    await sleep(150);
    return {
      seen,
      until: (count) => eventually(async () => expect(seen).toHaveLength(count)),
      close: () => closed.abort(),
    };
  }
});
