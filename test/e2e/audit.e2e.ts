import { join } from 'node:path';
import { getConnectionToken } from '@nestjs/mongoose';
import { type CreatedApiKey, type CreatedViewerToken } from '@reins/shared/api/access';
import { type AgentView, type RegenerateResponse } from '@reins/shared/api/agents';
import { type AuditPage, type AuditView } from '@reins/shared/api/audit';
import { type ConnectResponse } from '@reins/shared/link/connect';
import { type Connection } from 'mongoose';
import { Logger } from 'nestjs-pino';
import { boot, type Booted, type Caller, newOrg } from './callers';

const HARNESS_COMMAND = JSON.stringify([process.execPath, join(__dirname, '../support/idle-harness.mjs')]);

jest.setTimeout(60_000);

let controller: Booted;
let org: string;
let owner: Caller;

beforeAll(async () => {
  controller = await boot({ HARNESS_COMMAND, AUDIT_RETENTION_DAYS: '2' });
}, 60_000);

afterAll(() => controller?.close(), 60_000);

beforeEach(async () => {
  org = newOrg();
  owner = await controller.user(org);
});

const trail = async (query = '', by = owner): Promise<AuditPage> =>
  (await by.get(`/admin/audit${query}`).expect(200)).body as AuditPage;
const actions = ({ items }: AuditPage): string[] => items.map(({ action }) => action);
const id = ({ body }: { body: unknown }): string => (body as { id: string }).id;
const stored = (): Connection => controller.app.get<Connection>(getConnectionToken());

describe('the audit trail', () => {
  it('has every administrative change with its actor, newest first', async () => {
    const runtime = id(await owner.post('/admin/runtimes', { name: 'r', baseImage: 'node:20' }).expect(201));
    await owner.put(`/admin/runtimes/${runtime}`, { baseImage: 'node:22' }).expect(200);
    const worker = id(
      await owner.post('/admin/workers', { name: 'w', runtimeId: runtime, cliType: 'javascript' }).expect(201),
    );
    await owner.put('/admin/system-instructions', { content: 'be kind' }).expect(200);
    const key = (await owner.post('/admin/api-keys', { name: 'k' }).expect(201)).body as CreatedApiKey;
    const session = id(await controller.bearer(key.key).post('/sessions', { workerId: worker }).expect(201));
    const viewer = (await owner.post(`/sessions/${session}/viewer-tokens`).expect(201)).body as CreatedViewerToken;
    await owner.delete(`/sessions/${session}/viewer-tokens/${viewer.id}`).expect(204);
    await owner.delete(`/sessions/${session}`).expect(204);
    await owner.delete(`/admin/api-keys/${key.id}`).expect(204);
    await owner.delete(`/admin/workers/${worker}`).expect(204);
    await owner.delete(`/admin/runtimes/${runtime}`).expect(204);
    const revocation = id(await owner.post('/admin/token-revocations', { userId: 'bob' }).expect(201));
    await owner.delete(`/admin/token-revocations/${revocation}`).expect(204);

    const { items, nextCursor } = await trail();
    expect(nextCursor).toBeNull();
    expect(items.map(({ action, target }) => `${action} ${target.type}`)).toEqual([
      'tokenRevocation.lifted tokenRevocation',
      'tokenRevocation.created tokenRevocation',
      'runtime.deleted runtime',
      'worker.deleted worker',
      'apiKey.revoked apiKey',
      'session.ended session',
      'viewerToken.revoked viewerToken',
      'viewerToken.created viewerToken',
      'session.created session',
      'apiKey.created apiKey',
      'systemInstructions.updated systemInstructions',
      'worker.created worker',
      'runtime.updated runtime',
      'runtime.created runtime',
    ]);
    const user = `user:organization.owner@${org}`;
    for (const { action, actor, principal } of items) {
      const [name, who] = action === 'session.created' ? ['key:k', `key:${key.id}`] : [user, user];
      expect({ action, actor, principal }).toEqual({ action, actor: name, principal: who });
    }
    expect(items.find(({ action }) => action === 'runtime.updated')).toMatchObject({
      target: { type: 'runtime', id: runtime },
      before: { baseImage: 'node:20' },
      after: { baseImage: 'node:22' },
    });
    expect(items.find(({ action }) => action === 'runtime.deleted')).toMatchObject({
      before: { name: 'r' },
      after: null,
    });
    expect(items.find(({ action }) => action === 'apiKey.revoked')).toMatchObject({
      before: { revokedAt: null },
      after: { revokedAt: expect.any(String) as string },
    });
  });

  it('says once what was done twice, and nothing of what failed', async () => {
    const key = (await owner.post('/admin/api-keys', { name: 'k' }).expect(201)).body as CreatedApiKey;
    for (let i = 0; i < 2; i++) await owner.delete(`/admin/api-keys/${key.id}`).expect(204);
    await owner.delete('/admin/api-keys/key-none').expect(404);
    await owner.post('/admin/runtimes', {}).expect(400);
    expect(actions(await trail())).toEqual(['apiKey.revoked', 'apiKey.created']);
  });

  it("names the request by its correlation id, the caller's own or the one it was given", async () => {
    const mine = { 'X-Correlation-Id': 'order-17' };
    await owner.post('/admin/runtimes', { name: 'a', baseImage: 'node:20' }).set(mine).expect(201);
    const given = await owner.post('/admin/runtimes', { name: 'b', baseImage: 'node:20' }).expect(201);
    const { items } = await trail();
    expect(items.map(({ correlationId }) => correlationId)).toEqual([given.headers['x-correlation-id'], 'order-17']);
  });

  it('never mixes up requests that are under way together', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `r${index}`);
    await Promise.all(
      names.map((name) =>
        owner.post('/admin/runtimes', { name, baseImage: 'node:20' }).set({ 'X-Correlation-Id': name }).expect(201),
      ),
    );
    const { items } = await trail();
    expect(items).toHaveLength(names.length);
    for (const { after, correlationId } of items) expect(after?.['name']).toBe(correlationId);
  });

  it('is forgotten after AUDIT_RETENTION_DAYS', async () => {
    await owner.post('/admin/runtimes', { name: 'r', baseImage: 'node:20' }).expect(201);
    const entry = await stored().collection('audit').findOne({ orgId: org });
    expect(Number(entry?.['expiresAt']) - Number(entry?.['at'])).toBe(2 * 86_400_000);
    const indexes = await stored().collection('audit').indexes();
    expect(indexes).toContainEqual(expect.objectContaining({ key: { expiresAt: 1 }, expireAfterSeconds: 0 }));
  });

  describe('is read', () => {
    beforeEach(async () => {
      for (const name of ['a', 'b', 'c', 'd', 'e']) {
        await owner.post('/admin/runtimes', { name, baseImage: 'node:20' }).expect(201);
      }
      await owner.post('/admin/api-keys', { name: 'k' }).expect(201);
    });

    it('page by page, without a gap or a repeat while it grows', async () => {
      const seen: AuditView[] = [];
      let cursor: string | null = null;
      do {
        const page: AuditPage = await trail(`?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
        expect(page.items.length).toBeLessThanOrEqual(2);
        seen.push(...page.items);
        cursor = page.nextCursor;
        await owner.post('/admin/runtimes', { name: `later ${seen.length}`, baseImage: 'node:20' }).expect(201);
      } while (cursor !== null);
      expect(seen.map(({ after }) => after?.['name'])).toEqual(['k', 'e', 'd', 'c', 'b', 'a']);
    });

    it('by actor, action, target and time', async () => {
      const { items: all } = await trail();
      const [newest, , third] = all;
      const who = encodeURIComponent(`user:organization.owner@${org}`);
      expect((await trail(`?actor=${who}`)).items).toEqual(all);
      expect((await trail('?actor=somebody')).items).toEqual([]);
      expect(actions(await trail('?action=apiKey.created'))).toEqual(['apiKey.created']);
      expect((await trail('?targetType=runtime')).items).toHaveLength(5);
      expect((await trail(`?targetId=${third?.target.id}`)).items).toEqual([third]);
      expect((await trail(`?targetType=runtime&targetId=${newest?.target.id}`)).items).toEqual([]);
      expect((await trail(`?from=${third?.at}&to=${third?.at}`)).items).toContainEqual(third);
      expect((await trail(`?to=2020-01-01T00:00:00Z`)).items).toEqual([]);
      expect((await trail(`?from=2020-01-01T00:00:00%2B02:00`)).items).toEqual(all);
    });

    it.each([
      ...['cursor=x', 'cursor=aud-0', 'cursor=', 'cursor[$gt]=a', 'limit=0', 'limit=101', 'limit=x', 'from=yesterday'],
      ...['to=', 'actor=', 'actor[$ne]=x', 'actor=a&actor=b', 'filter[orgId]=x', 'orgId=other', 'after=1', '$where=1'],
    ])('S3 and %s is refused', async (query) => {
      await owner.get(`/admin/audit?${query}`).expect(400);
    });

    it('S4 by administrators of the organisation only', async () => {
      const stranger = await controller.user(newOrg());
      const { items } = await trail();
      expect((await trail('', stranger)).items).toEqual([]);
      expect((await trail(`?targetId=${items[0]?.target.id}`, stranger)).items).toEqual([]);
      expect((await trail(`?cursor=${items[0]?.id}`, stranger)).items).toEqual([]);
      for (const role of ['organization.editor', 'organization.viewer', 'group.owner']) {
        await (await controller.user(org, role)).get('/admin/audit').expect(403);
      }
    });
  });

  describe('access.denied', () => {
    it('notes who tried to administer, once a minute for each route', async () => {
      const editor = await controller.user(org, 'organization.editor');
      for (let i = 0; i < 3; i++) await editor.post('/admin/api-keys', { name: 'x' }).expect(403);
      for (const key of ['key-1', 'key-2']) await editor.delete(`/admin/api-keys/${key}`).expect(403);
      await (await controller.user(org, 'organization.viewer')).post('/admin/api-keys', { name: 'x' }).expect(403);
      const { items } = await trail('?action=access.denied');
      expect(items.map(({ actor, target }) => [actor, target.id])).toEqual([
        [`user:organization.viewer@${org}`, 'POST /admin/api-keys'],
        [`user:organization.editor@${org}`, 'DELETE /admin/api-keys/:id'],
        [`user:organization.editor@${org}`, 'POST /admin/api-keys'],
      ]);
      expect(items[0]).toMatchObject({
        target: { type: 'route' },
        after: { roles: ['organization.viewer'], scopes: ['*'] },
      });
    });

    it('is in the trail of the organisation that was tried, not of the one that is named', async () => {
      const editor = await controller.user(org, 'organization.editor');
      const other = newOrg();
      await editor.get('/admin/audit').set({ 'X-Organization-Id': other }).expect(403);
      expect(actions(await trail())).toEqual(['access.denied']);
      expect((await trail('', await controller.user(other))).items).toEqual([]);
    });

    it('does not come of reading or writing without the right to', async () => {
      const viewer = await controller.user(org, 'organization.viewer');
      await viewer.post('/admin/runtimes', { name: 'r', baseImage: 'node:20' }).expect(403);
      expect((await trail()).items).toEqual([]);
    });
  });

  it('S5 S9 contains no hash, no token and no secret of anything', async () => {
    const secrets = ['a secret that only the agent knows', 'discord-token-123', 'claude-oauth-456', 'pw-in-an-url'];
    const [secret, discord, oauth, password] = secrets;
    const agent = (
      await owner
        .post('/agents', {
          name: 'a',
          description: 'd',
          status: 'active',
          type: 'autonomous',
          secret,
          settings: { discord: { token: discord }, claude_oauthToken: oauth },
        })
        .expect(201)
    ).body as AgentView;
    const connected = (await controller.anonymous.post(`/agents/${agent._id}/connect`, { secret }).expect(200))
      .body as ConnectResponse;
    const regenerated = (await owner.post(`/agents/${agent._id}/credentials/regenerate`, {}).expect(200))
      .body as RegenerateResponse;
    const key = (await owner.post('/admin/api-keys', { name: 'k' }).expect(201)).body as CreatedApiKey;
    const runtime = id(await owner.post('/admin/runtimes', { name: 'r', baseImage: 'node:20' }).expect(201));
    const worker = {
      name: 'w',
      runtimeId: runtime,
      cliType: 'javascript',
      workerRepoUrl: `https://bot:${password}@example.com/x.git`,
      agentMd: `use ${key.key} when you call`,
    };
    const workerId = id(await owner.post('/admin/workers', worker).expect(201));
    const session = id(await owner.post('/sessions', { workerId }).expect(201));
    const viewer = (await owner.post(`/sessions/${session}/viewer-tokens`).expect(201)).body as CreatedViewerToken;
    await owner.delete(`/sessions/${session}/viewer-tokens/${viewer.id}`).expect(204);
    await owner.delete(`/admin/api-keys/${key.id}`).expect(204);
    await owner.delete(`/agents/${agent._id}`).expect(200);

    const entries = await stored().collection('audit').find({ orgId: org }).toArray();
    expect(entries.length).toBeGreaterThan(8);
    const text = JSON.stringify(entries);
    const own = await Promise.all(
      ['api_keys', 'viewer_tokens'].map((name) => stored().collection(name).find({ orgId: org }).toArray()),
    );
    const hashes = own.flat().map((document) => String(document['hash']));
    expect(hashes).toHaveLength(2);
    for (const hidden of [...secrets, ...hashes, key.key, viewer.token, connected.token, regenerated.secret]) {
      expect(hidden).toBeTruthy();
      expect(text).not.toContain(hidden);
    }
    expect(text).not.toMatch(/\$2[aby]\$|eyJ[\w-]+\.[\w-]+\.|r[kv]_[\w-]{20}|[0-9a-f]{64}/);
  });

  it('loses no change where it cannot be written: the request goes on, the entry is counted', async () => {
    const failures = async (): Promise<number> => {
      const { text } = await owner.get('/metrics').expect(200);
      return Number(/^reins_audit_failures_total (\d+)$/m.exec(text)?.[1]);
    };
    const before = await failures();
    // A rule of the database that the second entry breaks: as real a failure as a full disk.
    const rule = { name: 'one-of-each', unique: true, partialFilterExpression: { orgId: org } };
    await stored().collection('audit').createIndex({ orgId: 1, action: 1 }, rule);
    const lines: unknown[][] = [];
    const ignore = (): void => undefined;
    controller.app.useLogger({ log: ignore, warn: ignore, error: (...line: unknown[]) => void lines.push(line) });
    try {
      await owner.post('/admin/runtimes', { name: 'kept', baseImage: 'node:20' }).expect(201);
      await owner.post('/admin/runtimes', { name: 'lost', baseImage: 'node:20' }).expect(201);
    } finally {
      controller.app.useLogger(controller.app.get(Logger));
      await stored().collection('audit').dropIndex(rule.name);
    }
    expect((await owner.get('/admin/runtimes').expect(200)).body).toHaveLength(2);
    expect((await trail()).items).toMatchObject([{ after: { name: 'kept' } }]);
    expect(await failures()).toBe(before + 1);
    expect(lines).toEqual([
      [
        expect.objectContaining({
          entry: expect.objectContaining({
            orgId: org,
            action: 'runtime.created',
            after: expect.objectContaining({ name: 'lost' }) as object,
          }) as object,
        }),
        'audit.unrecorded',
        'Audit',
      ],
    ]);
  });
});
