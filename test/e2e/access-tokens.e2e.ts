import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CreatedApiKey, type TokenRevocationView } from '@reins/shared/api/access';
import { type AgentView } from '@reins/shared/api/agents';
import { systemClock } from '@reins/shared/util';
import { eventually } from '../support/api-client';
import { boot, type Booted, type Caller, newOrg } from './callers';

const SECRET = 'a secret of these tests that is long enough';
const EARLIER = 'the secret that was used before this one was';
const FOREIGN = 'a secret that this controller has never heard of';

const base64 = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token signed by hand, with whatever header. */
function token(claims: object | string, options: { header?: object; secret?: string } = {}): string {
  const { header = { alg: 'HS256', typ: 'JWT' }, secret = SECRET } = options;
  const signed = `${base64(header)}.${base64(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const seconds = (): number => Math.floor(Date.now() / 1000);

describe('tokens issued elsewhere', () => {
  let controller: Booted;
  let org: string;

  beforeAll(async () => {
    controller = await boot({ JWT_SECRET_PREVIOUS: `unused ${'x'.repeat(32)},${EARLIER}` });
  }, 60_000);

  afterAll(() => controller?.close(), 60_000);

  beforeEach(() => {
    org = newOrg();
  });

  const claims = (more: object = {}): object => ({
    sub: 'u-1',
    username: 'ada',
    status: 'active',
    roles: ['organization.owner'],
    orgId: org,
    groupId: '',
    agentId: '',
    appId: '',
    licenses: {},
    iat: seconds(),
    exp: seconds() + 3600,
    ...more,
  });
  const read = (bearer: string) => controller.bearer(bearer).get('/admin/runtimes');

  it("with AIWM's claims are taken, and their names are the actor and the user", async () => {
    const caller = controller.bearer(token(claims({ userId: 'u-7' })));
    await caller.post('/admin/runtimes', { name: 'r', baseImage: 'node:20' }).expect(201);
    const { body } = await caller.get('/admin/audit?action=runtime.created').expect(200);
    expect(body).toMatchObject({ items: [{ actor: 'ada', principal: 'user:u-7' }] });
  });

  it.each([
    ['alg none', () => `${base64({ alg: 'none', typ: 'JWT' })}.${base64(claims())}.`, 'token_invalid'],
    ['alg none with a signature', () => token(claims(), { header: { alg: 'none' } }), 'token_invalid'],
    [
      'alg RS256, signed with the secret as if it were a key',
      () => token(claims(), { header: { alg: 'RS256' } }),
      'token_invalid',
    ],
    ['alg RS256, signed with a key of its own', () => rsaToken(claims()), 'token_invalid'],
    ['alg HS512, signed rightly', () => hs512Token(claims()), 'token_invalid'],
    ['alg in a list', () => token(claims(), { header: { alg: ['HS256'] } }), 'token_invalid'],
    ['a header that is no object', () => `${base64('[]')}.${base64(claims())}.x`, 'token_invalid'],
    ['another secret', () => token(claims(), { secret: FOREIGN }), 'token_invalid'],
    ['no signature', () => token(claims()).replace(/[^.]+$/, ''), 'token_invalid'],
    [
      'claims changed afterwards',
      () => token(claims()).replace(/\.[^.]+\./, `.${base64(claims({ sub: 'other' }))}.`),
      'token_invalid',
    ],
    ['claims that are no JSON', () => token('{'), 'token_invalid'],
    ['claims that are text', () => token('"u"'), 'token_invalid'],
    ['claims that are null', () => token('null'), 'token_invalid'],
    ['no sub', () => token(claims({ sub: undefined })), 'token_invalid'],
    ['an empty sub', () => token(claims({ sub: '' })), 'token_invalid'],
    ['no orgId', () => token(claims({ orgId: undefined })), 'token_invalid'],
    ['an empty orgId', () => token(claims({ orgId: '' })), 'token_invalid'],
    ['past exp', () => token(claims({ exp: seconds() - 5 })), 'token_expired'],
    ['past exp and another secret', () => token(claims({ exp: seconds() - 5 }), { secret: FOREIGN }), 'token_invalid'],
    ['nbf in the future', () => token(claims({ nbf: seconds() + 600 })), 'token_invalid'],
    ['exp that is text', () => token(claims({ exp: 'never' })), 'token_invalid'],
    ['exp that is null', () => token(claims({ exp: null })), 'token_invalid'],
    ['nbf that is text', () => token(claims({ nbf: 'now' })), 'token_invalid'],
    ['iat that is text', () => token(claims({ iat: 'yesterday' })), 'token_invalid'],
    ['sub that is a number', () => token(claims({ sub: 7 })), 'token_invalid'],
    ['sub that is an object', () => token(claims({ sub: { $ne: null } })), 'token_invalid'],
    ['orgId that is an operator', () => token(claims({ orgId: { $ne: null } })), 'token_invalid'],
    ['orgId that is a list', () => token(claims({ orgId: ['a'] })), 'token_invalid'],
    ['roles that are text', () => token(claims({ roles: 'organization.owner' })), 'token_invalid'],
    ['roles that are an object', () => token(claims({ roles: { 0: 'organization.owner' } })), 'token_invalid'],
    ['a role that is a list', () => token(claims({ roles: [['organization.owner']] })), 'token_invalid'],
    ['username that is an object', () => token(claims({ username: {} })), 'token_invalid'],
    ['userId that is a number', () => token(claims({ userId: 1 })), 'token_invalid'],
    ['agentId that is an operator', () => token(claims({ type: 'agent', agentId: { $gt: '' } })), 'token_invalid'],
    ['type that is a number', () => token(claims({ type: 1 })), 'token_invalid'],
    ['tv that is text', () => token(claims({ type: 'agent', tv: '0' })), 'token_invalid'],
  ])('with %s are refused with 401 and not 500', async (_, make, code) => {
    const { body } = await read(make()).expect(401);
    expect(body).toMatchObject({ code });
  });

  it('of type agent need the version their agent has now', async () => {
    const owner = await controller.user(org);
    const agent = { name: 'a', description: 'd', status: 'active', type: 'autonomous' };
    const { _id: agentId } = (await owner.post('/agents', agent).expect(201)).body as AgentView;
    const forged = { sub: agentId, agentId, type: 'agent' };
    for (const more of [{}, { tv: -1 }, { tv: 99 }]) {
      const { body } = await read(token(claims({ ...forged, ...more }))).expect(401);
      expect(body).toMatchObject({ code: 'token_revoked' });
    }
    // Of another organisation, or of nobody: the agent does not exist there.
    const elsewhere = token(claims({ ...forged, orgId: newOrg(), tv: 0 }));
    await controller.bearer(elsewhere).post(`/agents/${agentId}/heartbeat`, { status: 'online' }).expect(404);
  });

  it('give nothing to roles of groups and members, to unknown ones and to no role', async () => {
    const none = [['group.owner'], ['member.owner'], ['universe.viewer'], ['organization.admin'], ['__proto__'], []];
    for (const roles of none) await read(token(claims({ roles }))).expect(403);
    await read(token(claims({ roles: undefined }))).expect(403);
    await read(token(claims({ roles: ['group.owner', 'organization.viewer'] }))).expect(200);
  });

  describe('JWT_SECRET_PREVIOUS', () => {
    it('lets tokens of earlier secrets live on, and expire', async () => {
      await read(token(claims(), { secret: EARLIER })).expect(200);
      const { body } = await read(token(claims({ exp: seconds() - 5 }), { secret: EARLIER })).expect(401);
      expect(body).toMatchObject({ code: 'token_expired' });
    });

    it("signs agents' tokens with the new one only", async () => {
      const owner = await controller.user(org);
      const secret = 'the secret of this one agent';
      const agent = { name: 'a', description: 'd', status: 'active', type: 'autonomous', secret };
      const { _id } = (await owner.post('/agents', agent).expect(201)).body as AgentView;
      const connected = (await controller.anonymous.post(`/agents/${_id}/connect`, { secret }).expect(200)).body;
      const [header, payload, signature] = (connected as { token: string }).token.split('.');
      const mac = createHmac('sha256', SECRET).update(`${header}.${payload}`).digest('base64url');
      expect(signature).toBe(mac);
    });
  });

  describe('X-Organization-Id', () => {
    const universe = (): Promise<Caller> => controller.user(org, 'universe.owner');
    const runtime = { name: 'made elsewhere', baseImage: 'node:20' };

    it('lets a user of the universe act as owner of another organisation, as itself', async () => {
      const other = newOrg();
      const caller = await universe();
      const acting = { 'X-Organization-Id': other };
      await caller.post('/admin/runtimes', runtime).set(acting).expect(201);
      await caller.post('/admin/api-keys', { name: 'k' }).set(acting).expect(201);
      expect((await caller.get('/admin/runtimes').expect(200)).body).toEqual([]);
      const owner = await controller.user(other);
      expect((await owner.get('/admin/runtimes').expect(200)).body).toMatchObject([{ name: runtime.name }]);
      const { body } = await owner.get('/admin/audit?action=runtime.created').expect(200);
      expect(body).toMatchObject({ items: [{ actor: `user:universe.owner@${org}` }] });
    });

    it.each(['', ' ', 'a b', '../x', '$ne', '{"$ne":null}', 'x'.repeat(65), '-'])(
      'is ignored when it is malformed: %j',
      async (organizationId) => {
        const caller = await universe();
        await caller.post('/admin/runtimes', runtime).set({ 'X-Organization-Id': organizationId }).expect(201);
        expect((await caller.get('/admin/runtimes').expect(200)).body).toHaveLength(1);
      },
    );

    it('is ignored from everyone else', async () => {
      const other = newOrg();
      await (await controller.user(other)).post('/admin/runtimes', runtime).expect(201);
      const owner = await controller.user(org);
      const { key } = (await owner.post('/admin/api-keys', { name: 'k', roles: ['organization.owner'] }).expect(201))
        .body as CreatedApiKey;
      const callers = [owner, await controller.user(org, 'universe.viewer'), controller.bearer(key)];
      for (const caller of callers) {
        const answer = await caller.get('/admin/runtimes').set({ 'X-Organization-Id': other });
        expect(answer.status === 403 || JSON.stringify(answer.body) === '[]').toBe(true);
      }
    });

    it('takes the 24 digits of AIWM', async () => {
      const other = '65f0c0ffee65f0c0ffee65f0';
      await (await universe()).post('/admin/runtimes', runtime).set({ 'X-Organization-Id': other }).expect(201);
      expect((await (await controller.user(other)).get('/admin/runtimes')).body).toHaveLength(1);
    });
  });

  describe('revocation', () => {
    let admin: Caller;
    const revoke = async (body: object, by = admin): Promise<TokenRevocationView> =>
      (await by.post('/admin/token-revocations', body).expect(201)).body as TokenRevocationView;

    beforeEach(async () => {
      const { key } = (
        await (
          await controller.user(org)
        )
          .post('/admin/api-keys', { name: 'admin', roles: ['organization.owner'] })
          .expect(201)
      ).body as CreatedApiKey;
      admin = controller.bearer(key);
    });

    it("S6 ends a user's tokens at once, spares others and later ones, and can be lifted", async () => {
      const mine = token(claims({ sub: 'bob', iat: seconds() - 10 }));
      const others = token(claims({ sub: 'eve', iat: seconds() - 10 }));
      await read(mine).expect(200);
      const { id } = await revoke({ userId: 'bob' });
      expect((await read(mine).expect(401)).body).toMatchObject({ code: 'token_revoked' });
      await read(others).expect(200);
      await read(token(claims({ sub: 'bob', iat: seconds() + 2 }))).expect(200);
      // The same name in another organisation is another user.
      await read(token(claims({ sub: 'bob', orgId: newOrg(), iat: seconds() - 10 }))).expect(200);

      const listed = await admin.get('/admin/token-revocations').expect(200).expect('X-Total-Count', '1');
      expect(listed.body).toMatchObject([{ id, userId: 'bob', createdBy: 'key:admin' }]);
      await admin.delete(`/admin/token-revocations/${id}`).expect(204);
      await read(mine).expect(200);
      const { body } = await admin.delete(`/admin/token-revocations/${id}`).expect(404);
      expect(body).toMatchObject({ code: 'token_revocation_not_found' });
    });

    it('goes by userId and by sub, and refuses a token that hides its age', async () => {
      const named = token(claims({ sub: 's', userId: 'u', iat: seconds() - 10 }));
      const ageless = token({ sub: 'u', roles: ['organization.owner'], orgId: org, exp: seconds() + 600 });
      await read(ageless).expect(200);
      await revoke({ userId: 'u' });
      await read(named).expect(401);
      await read(ageless).expect(401);
      const bySub = token(claims({ sub: 't', userId: 'v', iat: seconds() - 10 }));
      await read(bySub).expect(200);
      await revoke({ userId: 't' });
      await read(bySub).expect(401);
    });

    it('of the whole organisation ends the tokens of all users, not keys and not agents', async () => {
      const owner = await controller.user(org);
      const secret = 'the secret of this one agent';
      const agent = { name: 'a', description: 'd', status: 'active', type: 'autonomous', secret };
      const { _id } = (await owner.post('/agents', agent).expect(201)).body as AgentView;
      const connected = (await controller.anonymous.post(`/agents/${_id}/connect`, { secret }).expect(200)).body;
      const elsewhere = await controller.user(newOrg());
      await revoke({ orgWide: true });
      await owner.get('/admin/runtimes').expect(401);
      await elsewhere.get('/admin/runtimes').expect(200);
      await admin.get('/admin/runtimes').expect(200);
      const beat = controller.bearer((connected as { token: string }).token);
      await beat.post(`/agents/${_id}/heartbeat`, { status: 'online' }).expect(200);
    });

    it('follows a user of the universe by its own organisation, wherever it acts', async () => {
      const bearer = token(claims({ sub: 'root', roles: ['universe.owner'], iat: seconds() - 10 }));
      const acting = { 'X-Organization-Id': newOrg() };
      await read(bearer).set(acting).expect(200);
      await revoke({ userId: 'root' });
      await read(bearer).set(acting).expect(401);
    });

    it('twice is once: the later time counts', async () => {
      const first = await revoke({ userId: 'bob' });
      await sleep(1_100);
      const second = await revoke({ userId: 'bob' });
      expect(second.id).toBe(first.id);
      expect(Date.parse(second.issuedUpTo)).toBeGreaterThan(Date.parse(first.issuedUpTo));
      await admin.get('/admin/token-revocations').expect(200).expect('X-Total-Count', '1');
    });

    it.each([
      {},
      { userId: '' },
      { userId: 'a', orgWide: true },
      { orgWide: false },
      { userId: { $ne: 1 } },
      { user: 'a' },
    ])('refuses %j', async (body) => {
      await admin.post('/admin/token-revocations', body).expect(400);
    });

    it('is for administrators, in their own organisation', async () => {
      const { id } = await revoke({ userId: 'bob' });
      const editor = await controller.user(org, 'organization.editor');
      await editor.post('/admin/token-revocations', { userId: 'x' }).expect(403);
      await editor.get('/admin/token-revocations').expect(403);
      await editor.delete(`/admin/token-revocations/${id}`).expect(403);
      const stranger = await controller.user(newOrg());
      expect((await stranger.get('/admin/token-revocations').expect(200)).body).toEqual([]);
      await stranger.delete(`/admin/token-revocations/${id}`).expect(404);
    });

    it('reaches another controller of the same database within seconds, and outlives a restart', async () => {
      const second = await boot({ MONGODB_URI: controller.mongoUri });
      try {
        const bearer = token(claims({ sub: 'bob', iat: seconds() - 10 }));
        const there = second.bearer(bearer);
        await there.get('/admin/runtimes').expect(200);
        const { id } = await revoke({ userId: 'bob' });
        const started = systemClock.monotonic();
        await eventually(async () => {
          await there.get('/admin/runtimes').expect(401);
        });
        expect(systemClock.monotonic() - started).toBeLessThan(15_000);
        await admin.delete(`/admin/token-revocations/${id}`).expect(204);
        await eventually(async () => {
          await there.get('/admin/runtimes').expect(200);
        });
        await revoke({ userId: 'bob' });
      } finally {
        await second.close();
      }
      const third = await boot({ MONGODB_URI: controller.mongoUri });
      try {
        await third
          .bearer(token(claims({ sub: 'bob', iat: seconds() - 10 })))
          .get('/admin/runtimes')
          .expect(401);
      } finally {
        await third.close();
      }
    }, 60_000);
  });
});

function rsaToken(claims: object): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const signed = `${base64({ alg: 'RS256', typ: 'JWT' })}.${base64(claims)}`;
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey, 'base64url')}`;
}

function hs512Token(claims: object): string {
  const signed = `${base64({ alg: 'HS512', typ: 'JWT' })}.${base64(claims)}`;
  return `${signed}.${createHmac('sha512', SECRET).update(signed).digest('base64url')}`;
}
