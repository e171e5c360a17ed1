import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiKeyView, type CreatedApiKey } from '@reins/shared/api/access';
import { boot, type Booted, type Caller, newOrg } from './callers';

describe('access', () => {
  let controller: Booted;
  let org: string;
  let owner: Caller;

  beforeAll(async () => {
    controller = await boot();
  }, 60_000);

  afterAll(() => controller.close(), 60_000);

  beforeEach(async () => {
    org = newOrg();
    owner = await controller.user(org);
  });

  const create = async (body: object = { name: 'ci' }): Promise<CreatedApiKey> =>
    (await owner.post('/admin/api-keys', body).expect(201)).body as CreatedApiKey;

  describe('tokens', () => {
    it.each([
      ['none', undefined],
      ['no JWT', 'nonsense'],
      ['an unsigned one', `${btoa('{"alg":"none"}')}.${btoa('{"sub":"a","orgId":"b","roles":["universe.owner"]}')}.`],
      ['an unknown API key', `rk_${'A'.repeat(43)}`],
    ])('refuses %s', async (_, token) => {
      const client = token === undefined ? controller.anonymous : controller.bearer(token);
      const { body } = await client.get('/admin/workers').expect(401);
      expect(body).toMatchObject({ error: expect.any(String) as string, correlationId: expect.any(String) as string });
    });

    it('refuses an expired one, and one without an organisation', async () => {
      const expired = await controller.sign({ sub: 'u', roles: ['organization.owner'], orgId: org }, -1);
      expect((await controller.bearer(expired).get('/admin/workers').expect(401)).body).toMatchObject({
        code: 'token_expired',
      });
      const homeless = await controller.sign({ sub: 'u', roles: ['universe.owner'] });
      await controller.bearer(homeless).get('/admin/workers').expect(401);
    });

    it.each([
      ['organization.owner', [200, 201, 201]],
      ['organization.editor', [200, 201, 403]],
      ['organization.viewer', [200, 403, 403]],
      ['group.owner', [403, 403, 403]],
    ])('lets %s read, write and administer: %j', async (role, [read, write, administer]) => {
      const client = await controller.user(org, role);
      await client.get('/admin/runtimes').expect(read ?? 0);
      await client.post('/admin/runtimes', { name: role, baseImage: 'node:20' }).expect(write ?? 0);
      await client.post('/admin/api-keys', { name: role }).expect(administer ?? 0);
    });
  });

  describe('API keys', () => {
    it('are shown once and act in their organisation with their roles', async () => {
      const created = await create();
      expect(created).toMatchObject({ name: 'ci', roles: ['organization.editor'], expiresAt: null, lastUsedAt: null });
      expect(created.key).toMatch(/^rk_[\w-]{43}$/);
      expect(created.key.startsWith(created.prefix)).toBe(true);

      const program = controller.bearer(created.key);
      await program.post('/admin/runtimes', { name: 'by key', baseImage: 'node:20' }).expect(201);
      await program.get('/admin/api-keys').expect(403);
      expect((await owner.get('/admin/runtimes').expect(200)).body).toEqual([
        expect.objectContaining({ name: 'by key' }),
      ]);

      const list = await owner.get('/admin/api-keys').expect(200).expect('X-Total-Count', '1');
      const [shown] = list.body as ApiKeyView[];
      expect(shown).toMatchObject({ id: created.id, prefix: created.prefix, lastUsedAt: expect.any(String) as string });
      expect(list.text).not.toContain(created.key);
      expect(list.text).not.toMatch(/hash/i);
    });

    it('S6 end at once when they are revoked', async () => {
      const { id, key } = await create();
      await controller.bearer(key).get('/admin/runtimes').expect(200);
      await owner.delete(`/admin/api-keys/${id}`).expect(204);
      await controller.bearer(key).get('/admin/runtimes').expect(401);
      await owner.delete(`/admin/api-keys/${id}`).expect(204);
      const [shown] = (await owner.get('/admin/api-keys')).body as ApiKeyView[];
      expect(shown?.revokedAt).toEqual(expect.any(String));
    });

    it('end by themselves', async () => {
      const { key } = await create({ name: 'short', roles: ['organization.viewer'], expiresInSeconds: 1 });
      await controller.bearer(key).get('/admin/runtimes').expect(200);
      await sleep(1100);
      await controller.bearer(key).get('/admin/runtimes').expect(401);
    });

    it('of another organisation are not seen and cannot be revoked', async () => {
      const { id, key } = await create();
      const stranger = await controller.user(newOrg());
      expect((await stranger.get('/admin/api-keys').expect(200)).body).toEqual([]);
      expect((await stranger.delete(`/admin/api-keys/${id}`).expect(404)).body).toMatchObject({
        code: 'api_key_not_found',
      });
      await controller.bearer(key).get('/admin/runtimes').expect(200);
    });

    it('may everything their roles allow, unless scopes narrow them', async () => {
      expect(await create()).toMatchObject({ scopes: ['*'] });
      const { key, scopes } = await create({ name: 'reader', scopes: ['definitions:read', 'definitions:read'] });
      expect(scopes).toEqual(['definitions:read']);
      const reader = controller.bearer(key);
      await reader.get('/admin/runtimes').expect(200);
      const { body } = await reader.post('/admin/runtimes', { name: 'r', baseImage: 'node:20' }).expect(403);
      expect(body).toMatchObject({ code: 'forbidden', details: { missingScope: 'definitions:write' } });
      await reader.get('/sessions').expect(403);
      await reader.get('/metrics').expect(200);
    });

    it.each([
      [['session:write']],
      [['sessions']],
      [['sessions:']],
      [['*:read']],
      [['sessions:write ']],
      [[]],
      ['*'],
      [[1]],
    ])('are refused with the unknown scopes %j', async (scopes) => {
      await owner.post('/admin/api-keys', { name: 'x', scopes }).expect(400);
    });

    it('never grant more than their maker has', async () => {
      const made = await create({ name: 'm', roles: ['organization.owner'], scopes: ['access:*', 'sessions:read'] });
      const maker = controller.bearer(made.key);
      const refused = [
        { name: 'x' },
        { name: 'x', scopes: ['sessions:write'] },
        { name: 'x', roles: ['organization.owner'], scopes: ['*'] },
        { name: 'x', roles: ['organization.viewer'], scopes: ['definitions:read'] },
      ];
      for (const body of refused) {
        const answer = await maker.post('/admin/api-keys', body).expect(403);
        expect(answer.body).toMatchObject({ code: 'forbidden', details: { beyond: expect.any(Array) as string[] } });
      }
      const within = { name: 'y', roles: ['organization.owner'], scopes: ['access:admin', 'sessions:*'] };
      await maker.post('/admin/api-keys', within).expect(403);
      const child = (
        await maker.post('/admin/api-keys', { ...within, scopes: ['access:admin', 'sessions:read'] }).expect(201)
      ).body as CreatedApiKey;
      await controller.bearer(child.key).get('/sessions').expect(200);
      expect((await owner.get('/admin/api-keys')).body).toHaveLength(2);
    });

    it('never carry roles of the universe', async () => {
      await owner.post('/admin/api-keys', { name: 'x', roles: ['universe.owner'] }).expect(400);
      await owner.post('/admin/api-keys', { name: 'x', roles: [] }).expect(400);
    });
  });
});

describe('AUTH_MODE=dev', () => {
  it('makes a request without credentials the local administrator, and checks those that are sent', async () => {
    const controller = await boot({ AUTH_MODE: 'dev' });
    try {
      await controller.anonymous.get('/admin/api-keys').expect(200);
      await controller.bearer('nonsense').get('/admin/api-keys').expect(401);
    } finally {
      await controller.close();
    }
  }, 60_000);
});
