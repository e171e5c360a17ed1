import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CreatedApiKey, type CreatedViewerToken, type ViewerTokenView } from '@reins/shared/api/access';
import { type EventSourceMessage } from 'eventsource-parser';
import { ApiClient, credentialsOf } from '../support/api-client';
import { endOf, ScriptedHarness, textOf } from '../support/scripted-harness';
import { boot, type Booted, newOrg } from './callers';
import { clientOf, page, replayed, seqs } from './session-viewers';

const HARNESS_COMMAND = JSON.stringify([process.execPath, join(__dirname, '../support/idle-harness.mjs')]);

jest.setTimeout(60_000);

interface Told {
  id: string;
  harness: ScriptedHarness;
  turnId: string;
  blobId: string;
}

let controller: Booted;
let orgId: string;
let owner: ApiClient;
let mine: Told;
let other: Told;
const harnesses: ScriptedHarness[] = [];

beforeAll(async () => {
  controller = await boot({ HARNESS_COMMAND, SSE_PING_MS: '50', LAUNCH_TIMEOUT_MS: '3600000' });
  orgId = newOrg();
  owner = await clientOf(controller, 'organization.owner', orgId);
  const worker = await owner.worker();
  [mine, other] = [await told(worker, 'of mine'), await told(worker, 'of the other')];
}, 60_000);

afterAll(async () => {
  for (const harness of harnesses) harness.close();
  await controller?.close();
}, 60_000);

/** A session with one turn and one blob. */
async function told(worker: string, text: string): Promise<Told> {
  const { id } = await owner.session(worker);
  const harness = await ScriptedHarness.connect(controller.url, await credentialsOf(controller.dataDir, id));
  harnesses.push(harness);
  await harness.start();
  await owner.until(id, 'active');
  const answer = owner.prompt(id, `ask ${text}`);
  const turn = await harness.take();
  await harness.push(1, [textOf(turn, text), endOf(turn)]);
  await answer;
  const { blobId } = await owner.must<{ blobId: string }>(
    'PUT',
    `/sessions/${id}/blobs`,
    JSON.stringify(`bytes ${text}`),
  );
  return { id, harness, turnId: turn.turnId, blobId };
}

const make = (sessionId: string, body?: object, by = owner): Promise<CreatedViewerToken> =>
  by.must<CreatedViewerToken>('POST', `/sessions/${sessionId}/viewer-tokens`, body);
const holder = ({ token }: { token: string }): ApiClient =>
  new ApiClient(controller.url, { Authorization: `Bearer ${token}` });

const READS = ({ id, turnId, blobId }: Told): string[] =>
  ['', '/events?follow=false', '/telemetry', '/stats', '/operations', `/turns/${turnId}`, `/blobs/${blobId}`].map(
    (path) => `/sessions/${id}${path}`,
  );

describe('viewer tokens', () => {
  it('show one session: its state, events, turns, telemetry, operations and blobs', async () => {
    const created = await make(mine.id);
    expect(Object.keys(created).sort()).toEqual(['expiresAt', 'id', 'sessionId', 'token']);
    expect(created.token).toMatch(/^rv_[\w-]{43}$/);
    expect(Date.parse(created.expiresAt) - Date.now()).toBeGreaterThan(3_500_000);
    expect(Date.parse(created.expiresAt) - Date.now()).toBeLessThanOrEqual(3_600_000);
    const viewer = holder(created);
    for (const path of READS(mine))
      expect({ path, ...(await viewer.call('GET', path)) }).toMatchObject({ path, status: 200 });
    const { items } = await page(viewer, mine.id, 'after=0');
    expect(JSON.stringify(items)).toContain('of mine');
    expect(seqs(await replayed(viewer, mine.id, 0))).toEqual(items.map(({ seq }) => seq));
  });

  it("S11 a viewer of one session cannot read another's events, replay included", async () => {
    const viewer = holder(await make(mine.id));
    const paths = [...READS(other), `/sessions/${other.id}/events`, `/sessions/${other.id}/events?after=0`];
    for (const path of paths) {
      const answer = await viewer.call('GET', path, undefined, { 'Last-Event-ID': '0' });
      expect({ path, status: answer.status }).toEqual({ path, status: 404 });
      expect(JSON.stringify(answer.body)).not.toContain('of the other');
    }
    // A session that exists and one that does not look the same, so a viewer cannot find out which do.
    const [real, unreal] = [`/sessions/${other.id}`, `/sessions/${other.id.replace(/.$/, 'z')}`];
    const [known, unknown] = [await viewer.call('GET', real), await viewer.call('GET', unreal)];
    const comparable = ({ status, body }: typeof known): object => ({ status, ...body, correlationId: undefined });
    expect(comparable(known)).toEqual(comparable(unknown));
    // Nor do things of the other session come by way of the viewer's own one.
    for (const path of [`/blobs/${other.blobId}`, `/turns/${other.turnId}`]) {
      expect((await viewer.call('GET', `/sessions/${mine.id}${path}`)).status).toBe(404);
    }
  });

  it('S12 a session-scoped viewer token cannot prompt, nor do anything else', async () => {
    const created = await make(mine.id);
    const viewer = holder(created);
    const own = `/sessions/${mine.id}`;
    const before = await owner.telemetry(mine.id);
    const refused: [string, string, unknown?][] = [
      ['POST', `${own}/prompt`, { prompt: 'x' }],
      ['POST', `${own}/stream`, { prompt: 'x' }],
      ['POST', `${own}/abort`, {}],
      ['DELETE', own],
      ['PUT', `${own}/blobs`, 'x'],
      ['POST', `${own}/viewer-tokens`, {}],
      ['GET', `${own}/viewer-tokens`],
      ['DELETE', `${own}/viewer-tokens/${created.id}`],
      ['GET', `${own}/turns/${mine.turnId}/prompt`],
      ['GET', '/sessions'],
      ['POST', '/sessions', { workerId: 'wk-1' }],
      ['GET', '/admin/workers'],
      ['GET', '/admin/api-keys'],
      ['GET', '/admin/audit'],
      ['GET', '/agents'],
      ['POST', '/agents/65f0c0ffee65f0c0ffee65f0/heartbeat', { status: 'online' }],
      ['GET', '/agents/65f0c0ffee65f0c0ffee65f0/config'],
    ];
    for (const [method, path, body] of refused) {
      const { status } = await viewer.call(method, path, body, { 'X-Organization-Id': orgId });
      expect({ method, path, status }).toEqual({ method, path, status: 403 });
    }
    expect(await owner.telemetry(mine.id)).toEqual(before);
    expect((await owner.get(mine.id)).status).toBe('active');
  });

  it('are made by those who may write and read, in their organisation', async () => {
    const editor = await clientOf(controller, 'organization.editor', orgId);
    await make(mine.id, {}, editor);
    const path = `/sessions/${mine.id}/viewer-tokens`;
    const reader = await clientOf(controller, 'organization.viewer', orgId);
    expect((await reader.call('POST', path)).status).toBe(403);
    const stranger = await clientOf(controller, 'organization.owner', newOrg());
    for (const method of ['POST', 'GET']) expect((await stranger.call(method, path)).status).toBe(404);
    const agent = holder(mine.harness.configuration);
    expect((await agent.call('POST', path)).status).toBe(403);
    expect((await owner.call('POST', '/sessions/sess-none/viewer-tokens')).status).toBe(404);

    const writer = await owner.must<CreatedApiKey>('POST', '/admin/api-keys', {
      name: 'w',
      scopes: ['sessions:write'],
    });
    const answer = await holder({ token: writer.key }).call('POST', path);
    expect(answer).toMatchObject({ status: 403, body: { details: { missingScope: 'sessions:read' } } });
  });

  it.each([
    { expiresInSeconds: 0 },
    { expiresInSeconds: 30 * 86_400 + 1 },
    { expiresInSeconds: '60' },
    { expiresInSeconds: 1.5 },
  ])('are refused for %j', async (body) => {
    expect((await owner.call('POST', `/sessions/${mine.id}/viewer-tokens`, body)).status).toBe(400);
  });

  it('S6 end at once when they are revoked; lists show neither value nor hash', async () => {
    const created = await make(mine.id, { expiresInSeconds: 30 * 86_400 });
    const path = `/sessions/${mine.id}/viewer-tokens`;
    const viewer = holder(created);
    await viewer.must('GET', `/sessions/${mine.id}`);
    // The id alone does not do: it has to be the session's.
    expect((await owner.call('DELETE', `/sessions/${other.id}/viewer-tokens/${created.id}`)).status).toBe(404);
    expect((await owner.call('DELETE', `${path}/vt-none`)).body).toMatchObject({ code: 'viewer_token_not_found' });
    const stranger = await clientOf(controller, 'organization.owner', newOrg());
    expect((await stranger.call('DELETE', `${path}/${created.id}`)).status).toBe(404);
    await viewer.must('GET', `/sessions/${mine.id}`);

    for (let i = 0; i < 2; i++) expect((await owner.call('DELETE', `${path}/${created.id}`)).status).toBe(204);
    expect(await viewer.call('GET', `/sessions/${mine.id}`)).toMatchObject({
      status: 401,
      body: { code: 'token_invalid' },
    });
    const listed = await owner.call<ViewerTokenView[]>('GET', path);
    expect(listed.body.find(({ id }) => id === created.id)?.revokedAt).toEqual(expect.any(String));
    expect(listed.headers.get('x-total-count')).toBe(String(listed.body.length));
    expect(JSON.stringify(listed.body)).not.toContain(created.token);
    expect(JSON.stringify(listed.body)).not.toMatch(/hash/i);
  });

  it('end by themselves', async () => {
    const viewer = holder(await make(mine.id, { expiresInSeconds: 1 }));
    await viewer.must('GET', `/sessions/${mine.id}`);
    await sleep(1_100);
    expect((await viewer.call('GET', `/sessions/${mine.id}`)).status).toBe(401);
  });

  it('still show a session that has ended', async () => {
    const { id } = await owner.session(await owner.worker());
    const viewer = holder(await make(id));
    await owner.must('DELETE', `/sessions/${id}`);
    await owner.until(id, 'ended');
    expect(await viewer.call('GET', `/sessions/${id}`)).toMatchObject({ status: 200, body: { status: 'ended' } });
  });

  describe('streams', () => {
    /** Follows until the server ends the stream; fails where it does not. */
    const follow = async (client: ApiClient, started: () => void, query = ''): Promise<EventSourceMessage[]> => {
      const messages: EventSourceMessage[] = [];
      const patience = AbortSignal.timeout(20_000);
      for await (const message of client.sse('GET', `/sessions/${mine.id}/events${query}`, undefined, {}, patience)) {
        messages.push(message);
        if (message.event === 'caught-up') started();
      }
      return messages;
    };

    it('S11 are cut within seconds when their token is revoked, and others go on', async () => {
      const [cut, kept] = [await make(mine.id), await make(mine.id)];
      const leave = new AbortController();
      let alive = 0;
      const staying = (async () => {
        const path = `/sessions/${mine.id}/events`;
        for await (const _ of holder(kept).sse('GET', path, undefined, {}, leave.signal)) alive++;
      })().catch(() => undefined);
      await follow(holder(cut), () => {
        void owner.must('DELETE', `/sessions/${mine.id}/viewer-tokens/${cut.id}`);
      });
      expect((await holder(cut).call('GET', `/sessions/${mine.id}/events`)).status).toBe(401);
      const seen = alive;
      const answer = owner.prompt(mine.id, 'more');
      const turn = await mine.harness.take();
      await mine.harness.push(3, [endOf(turn)]);
      await answer;
      await sleep(300);
      expect(alive).toBeGreaterThan(seen);
      leave.abort();
      await staying;
    });

    it('end when their token expires', async () => {
      const viewer = holder(await make(mine.id, { expiresInSeconds: 2 }));
      await follow(viewer, () => undefined);
      expect((await viewer.call('GET', `/sessions/${mine.id}`)).status).toBe(401);
    });

    it("S6 end with an API key that is revoked, and with a user's token", async () => {
      const key = await owner.must<CreatedApiKey>('POST', '/admin/api-keys', { name: 'reader' });
      await follow(holder({ token: key.key }), () => {
        void owner.must('DELETE', `/admin/api-keys/${key.id}`);
      });
      const token = await controller.sign({ sub: 'bob', roles: ['organization.viewer'], orgId });
      await follow(holder({ token }), () => {
        void owner.must('POST', '/admin/token-revocations', { userId: 'bob' });
      });
      const short = await controller.sign({ sub: 'ann', roles: ['organization.viewer'], orgId }, 2);
      await follow(holder({ token: short }), () => undefined);
    });

    it('take the token from the query, for EventSource, and nothing else does', async () => {
      const { token } = await make(mine.id);
      const bare = new ApiClient(controller.url);
      const query = `access_token=${token}`;
      expect((await page(bare, mine.id, query)).items.length).toBeGreaterThan(0);
      expect((await bare.call('GET', `/sessions/${other.id}/events?follow=false&${query}`)).status).toBe(404);
      for (const path of ['', '/telemetry', '/stats', '/operations', `/blobs/${mine.blobId}`]) {
        expect((await bare.call('GET', `/sessions/${mine.id}${path}?${query}`)).status).toBe(401);
      }
      // A key or a user's token in an address would be too much to lose.
      const key = await owner.must<CreatedApiKey>('POST', '/admin/api-keys', { name: 'k' });
      const user = await controller.sign({ sub: 'u', roles: ['organization.owner'], orgId });
      for (const wrong of [key.key, user, '', 'rv_x', `${token}&${query}`]) {
        const path = `/sessions/${mine.id}/events?follow=false&access_token=${wrong}`;
        expect({ wrong, status: (await bare.call('GET', path)).status }).toEqual({ wrong, status: 401 });
      }
    });
  });
});
