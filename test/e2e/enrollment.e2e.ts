import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { getConnectionToken } from '@nestjs/mongoose';
import { type AgentView, type RegenerateResponse } from '@reins/shared/api/agents';
import {
  type CreatedEnrollmentToken,
  type EnrollmentTokenDetail,
  type EnrollmentTokenView,
  EnrollResponse,
} from '@reins/shared/api/enrollment';
import { newObjectId } from '@reins/shared/ids';
import { type ConnectResponse } from '@reins/shared/link/connect';
import { type Connection } from 'mongoose';
import { eventually } from '../support/api-client';
import { ScriptedHarness } from '../support/scripted-harness';
import { boot, type Booted, type Caller, newOrg } from './callers';

const TOKENS = '/admin/enrollment-tokens';
const newKey = (): string => randomBytes(32).toString('base64url');
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('self-registration', () => {
  let controller: Booted;
  let org: string;
  let owner: Caller;

  beforeAll(async () => {
    controller = await boot({ CONNECT_FAILURES_PER_ADDRESS: '100000' });
  }, 60_000);

  afterAll(() => controller.close(), 60_000);

  beforeEach(async () => {
    org = newOrg();
    owner = await controller.user(org);
  });

  const mint = async (more: object = {}, by = owner): Promise<CreatedEnrollmentToken> =>
    (await by.post(TOKENS, { name: 'cluster east', ...more }).expect(201)).body as CreatedEnrollmentToken;
  const enroll = (token: string, more: object = {}) => controller.anonymous.post('/agents/enroll', { token, ...more });
  const enrolled = async (token: string, more: object = {}): Promise<EnrollResponse> =>
    EnrollResponse.parse((await enroll(token, more).expect(201)).body);
  const connect = ({ agentId, secret }: { agentId: string; secret: string }) =>
    controller.anonymous.post(`/agents/${agentId}/connect`, { secret });
  const detail = async (id: string): Promise<EnrollmentTokenDetail> =>
    (await owner.get(`${TOKENS}/${id}`).expect(200)).body as EnrollmentTokenDetail;
  const view = async (id: string): Promise<AgentView> =>
    (await owner.get(`/agents/${id}`).expect(200)).body as AgentView;
  const collection = (name: string) => controller.app.get<Connection>(getConnectionToken()).collection(name);
  const trail = async (action: string): Promise<Record<string, unknown>[]> =>
    collection('audit').find({ orgId: org, action }).sort({ _id: 1 }).toArray();

  describe('registering', () => {
    it('makes an autonomous agent from the template, which connects with the secret it got', async () => {
      const { id, token } = await mint({
        labels: { zone: 'east' },
        tags: ['edge'],
        role: 'organization.editor',
        settings: { claude_model: 'haiku' },
        nameTemplate: 'east-{host}-{n}',
      });
      const body = { host: 'node-7', labels: { zone: 'my own', gpu: 'none' }, supportedTypes: ['javascript'] };
      const answer = await enrolled(token, { ...body, capacity: 3 });
      expect(answer).toMatchObject({ orgId: org, name: 'east-node-7-1', baseUrl: controller.url });
      expect(await view(answer.agentId)).toMatchObject({
        type: 'autonomous',
        status: 'active',
        role: 'organization.editor',
        tags: ['edge'],
        labels: { zone: 'east', gpu: 'none' },
        enrollmentId: id,
        createdBy: `enrollment:${id}`,
        rotationRequestedAt: null,
      });
      const connected = (await connect(answer).expect(200)).body as ConnectResponse;
      expect(connected).toMatchObject({
        agent: { id: answer.agentId, orgId: org },
        settings: { claude_model: 'haiku' },
      });
      expect(await detail(id)).toMatchObject({ uses: 1, maxUses: 1, agents: { total: 1, suspended: 0 } });
      expect((await trail('agent.enrolled')).map(({ target }) => target)).toEqual([
        { type: 'agent', id: answer.agentId },
      ]);
    });

    it('lists the agents of a token page by page, and forgets deleted ones', async () => {
      const { id, token } = await mint({ maxUses: 3 });
      const ids: string[] = [];
      for (const host of ['a', 'b', 'c']) ids.push((await enrolled(token, { host })).agentId);
      const page = await owner.get(`${TOKENS}/${id}/agents?limit=2`).expect(200);
      expect(page.headers['x-total-count']).toBe('3');
      expect((page.body as AgentView[]).map(({ name }) => name).length).toBe(2);
      await owner.delete(`/agents/${ids[0]}`).expect(200);
      const rest = (await owner.get(`${TOKENS}/${id}/agents`).expect(200)).body as AgentView[];
      expect(rest.map(({ _id }) => _id).sort()).toEqual(ids.slice(1).sort());
      expect(await detail(id)).toMatchObject({ uses: 3, agents: { total: 2 } });
    });

    it('of 50 harnesses at once with 10 uses exactly 10 get an agent', async () => {
      const { id, token } = await mint({ maxUses: 10 });
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => enroll(token, { host: `h${n}`, enrollmentKey: newKey() })),
      );
      const made = answers.filter(({ status }) => status === 201).map(({ body }) => (body as EnrollResponse).agentId);
      expect(new Set(made).size).toBe(10);
      expect(answers.filter(({ status }) => status === 401).length).toBe(40);
      expect(await detail(id)).toMatchObject({ uses: 10, agents: { total: 10 } });
    }, 60_000);
  });

  describe('an answer that was lost', () => {
    it('asked for again with the same key is the same agent with a new secret, not another use', async () => {
      const { id, token } = await mint();
      const enrollmentKey = newKey();
      const lost = await enrolled(token, { enrollmentKey, host: 'pod-0' });
      const again = await enrolled(token, { enrollmentKey, host: 'pod-0' });
      expect({ ...again, secret: '' }).toEqual({ ...lost, secret: '' });
      expect(again.secret).not.toBe(lost.secret);
      await connect(lost).expect(401);
      await connect(again).expect(200);
      expect(await detail(id)).toMatchObject({ uses: 1, agents: { total: 1 } });
      await enroll(token, { enrollmentKey: newKey() }).expect(401);
    });

    it('asked for ten times at once is one agent and one use', async () => {
      const { id, token } = await mint({ maxUses: 5 });
      const enrollmentKey = newKey();
      const answers = await Promise.all(Array.from({ length: 10 }, () => enrolled(token, { enrollmentKey })));
      expect(new Set(answers.map(({ agentId }) => agentId)).size).toBe(1);
      expect(await detail(id)).toMatchObject({ uses: 1, agents: { total: 1 } });
      const working = await Promise.all(answers.map((answer) => connect(answer)));
      expect(working.filter(({ status }) => status === 200).length).toBe(1);
    }, 30_000);

    it('a use that was counted by a controller that died before it made the agent is taken up', async () => {
      const { id, token } = await mint();
      const enrollmentKey = newKey();
      await collection('enrollment_tokens').updateOne(
        { _id: id as never },
        { $set: { uses: 1, pending: [digest(enrollmentKey)] } },
      );
      await enroll(token, { enrollmentKey: newKey() }).expect(401);
      await connect(await enrolled(token, { enrollmentKey })).expect(200);
      expect(await detail(id)).toMatchObject({ uses: 1, agents: { total: 1 } });
    });

    it('is not for an agent that was suspended or deleted since', async () => {
      const { token } = await mint({ maxUses: 2 });
      for (const end of ['suspend', 'delete']) {
        const enrollmentKey = newKey();
        const { agentId } = await enrolled(token, { enrollmentKey });
        if (end === 'suspend') await owner.put(`/agents/${agentId}`, { status: 'suspended' }).expect(200);
        else await owner.delete(`/agents/${agentId}`).expect(200);
        await enroll(token, { enrollmentKey }).expect(401);
      }
    });
  });

  describe('refusals', () => {
    it('S7 unknown, expired, revoked and used up get the same answer; the reason is in the audit trail only', async () => {
      const expired = await mint({ expiresInSeconds: 1 });
      const revoked = await mint();
      const usedUp = await mint();
      await enrolled(usedUp.token);
      await owner.delete(`${TOKENS}/${revoked.id}`).expect(204);
      await new Promise((resolve) => setTimeout(resolve, 1100));
      const tokens = [`re_${newKey()}`, 'nonsense', expired.token, revoked.token, usedUp.token];
      const bodies: object[] = [];
      for (const token of tokens) {
        const { body } = await enroll(token, { enrollmentKey: newKey() }).expect(401);
        bodies.push({ ...(body as object), correlationId: '', timestamp: '' });
      }
      expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
      expect(bodies[0]).toMatchObject({ statusCode: 401, code: 'enrollment_refused' });
      const reasons = async (): Promise<object[]> =>
        (await trail('enrollment.refused')).map(({ target, after }) => ({ target, after }));
      await eventually(async () => expect(await reasons()).toHaveLength(3));
      expect(await reasons()).toMatchObject([
        { target: { id: expired.id }, after: { reason: 'expired' } },
        { target: { id: revoked.id }, after: { reason: 'revoked' } },
        { target: { id: usedUp.id }, after: { reason: 'used up' } },
      ]);
    });

    it.each([
      ['S14 a line break', { name: 'web\n01' }],
      ['S14 a line break', { host: 'web\r\nAIWM_BASE_URL=http://evil' }],
      ['S14 a line separator', { name: 'web\u202801' }],
      ['a NUL', { host: 'web\0' }],
      ['a name of 101 characters', { name: 'x'.repeat(101) }],
      ['a label with a line break', { labels: { zone: 'a\nb' } }],
      ['a label that is an operator', { labels: { $where: '1' } }],
      ['33 labels', { labels: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`k${n}`, 'v'])) }],
      ['a short enrollment key', { enrollmentKey: 'short' }],
      ['a capacity below 0', { capacity: -1 }],
    ])('%s is refused with 400 and uses nothing up', async (_, more) => {
      const { id, token } = await mint();
      await enroll(token, more).expect(400);
      expect(await detail(id)).toMatchObject({ uses: 0 });
    });

    it('a label that is a prototype is no label', async () => {
      const { token } = await mint();
      const body = `{"token":${JSON.stringify(token)},"labels":{"__proto__":{"isAdmin":"yes"},"zone":"a"}}`;
      const { agentId } = (await controller.anonymous.raw('post', '/agents/enroll', body).expect(201))
        .body as EnrollResponse;
      expect((await view(agentId)).labels).toEqual({ zone: 'a' });
      expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
    });

    it('S14 names with quotes and $() are kept as they are and cannot break the .env or the install script', async () => {
      const name = `a"b'c $(touch /tmp/pwned) \`id\` \\`;
      const { token } = await mint({ nameTemplate: '{host}' });
      const { agentId, name: given } = await enrolled(token, { host: name });
      expect(given).toBe(name);
      const answer = await owner.post(`/agents/${agentId}/credentials/regenerate`).expect(200);
      const { envConfig, installScript } = answer.body as RegenerateResponse;
      expect(envConfig.split('\n').filter((line) => line.startsWith('AGENT_NAME='))).toHaveLength(1);
      execFileSync('bash', ['-n'], { input: installScript });
    });
  });

  describe('tokens', () => {
    it('S1 are for administrators of their own organisation only', async () => {
      const { id, token } = await mint();
      const agent = await enrolled(token);
      const asAgent = controller.bearer(((await connect(agent).expect(200)).body as ConnectResponse).token);
      const editor = await controller.user(org, 'organization.editor');
      const viewer = await controller.user(org, 'organization.viewer');
      for (const caller of [editor, viewer, asAgent]) {
        await caller.post(TOKENS, { name: 'n' }).expect(403);
        await caller.get(TOKENS).expect(403);
        await caller.get(`${TOKENS}/${id}`).expect(403);
        await caller.delete(`${TOKENS}/${id}?agents=delete`).expect(403);
      }
      const stranger = await controller.user(newOrg());
      expect((await stranger.get(TOKENS).expect(200)).body).toEqual([]);
      for (const path of [`${TOKENS}/${id}`, `${TOKENS}/${id}/agents`]) {
        expect((await stranger.get(path).expect(404)).body).toMatchObject({ code: 'enrollment_token_not_found' });
      }
      await stranger.delete(`${TOKENS}/${id}?agents=delete`).expect(404);
      await connect(agent).expect(200);
    });

    it('S5 S9 are shown once; no view, no audit entry and no stored field holds the token or an agent secret', async () => {
      const settings = { discord_token: 'discord-in-clear' };
      const created = await mint({ settings });
      expect(created.token).toMatch(/^re_[A-Za-z0-9_-]{43}$/);
      const { secret } = await enrolled(created.token);
      const shown = [
        (await owner.get(TOKENS).expect(200)).body,
        await detail(created.id),
        (await owner.get(`${TOKENS}/${created.id}/agents`).expect(200)).body,
        await trail('enrollmentToken.created'),
        await trail('agent.enrolled'),
      ];
      const text = JSON.stringify(shown);
      for (const hidden of [created.token, secret, digest(created.token), 'discord-in-clear', '$2b$']) {
        expect(text).not.toContain(hidden);
      }
      const stored = JSON.stringify(await collection('enrollment_tokens').findOne({ _id: created.id as never }));
      expect(stored).not.toContain(created.token);
    });

    it.each([
      [{ expiresInSeconds: 0 }],
      [{ expiresInSeconds: 366 * 86_400 }],
      [{ maxUses: 0 }],
      [{ maxUses: 10_001 }],
      [{ maxUses: 1.5 }],
      [{ nameTemplate: '{user}' }],
      [{ nameTemplate: 'a\nb' }],
      [{ role: 'universe.owner' }],
      [{ labels: { 'not ok!': 'x' } }],
      [{ settings: { discord_token: 'a\nb' } }],
    ])('%j is refused with 400', async (more) => {
      await owner.post(TOKENS, { name: 'n', ...more }).expect(400);
    });

    it('S8 name instructions and tools of the own organisation only', async () => {
      for (const more of [{ instructionId: newObjectId() }, { allowedToolIds: [newObjectId()] }]) {
        const { body } = await owner.post(TOKENS, { name: 'n', ...more }).expect(400);
        expect(body).toMatchObject({ code: 'validation_failed' });
      }
    });

    it('list newest first', async () => {
      for (const name of ['one', 'two']) await mint({ name });
      const { body, headers } = await owner.get(`${TOKENS}?limit=1`).expect(200);
      expect((body as EnrollmentTokenView[]).map(({ name }) => name)).toEqual(['two']);
      expect(headers['x-total-count']).toBe('2');
    });
  });

  describe('revoking', () => {
    it('S6 with its agents ends their secrets, tokens and sockets at once', async () => {
      for (const [agents, connectStatus, tokenStatus] of [
        ['suspend', 401, 401],
        ['delete', 404, 404],
      ] as const) {
        const { id, token } = await mint({ maxUses: 2 });
        const members = [await enrolled(token), await enrolled(token)];
        const harnesses = await Promise.all(members.map((member) => ScriptedHarness.connect(controller.url, member)));
        const bystander = await enrolled((await mint()).token);
        await owner.delete(`${TOKENS}/${id}?agents=${agents}`).expect(204);
        for (const [index, member] of members.entries()) {
          const harness = harnesses[index] as ScriptedHarness;
          await connect(member).expect(connectStatus);
          await controller
            .bearer(harness.configuration.token)
            .get(`/agents/${member.agentId}/config`)
            .expect(tokenStatus);
          await eventually(() => Promise.resolve(expect(harness.socket.connected).toBe(false)));
          expect(harness.received.find(({ event }) => event === 'bye')?.body).toMatchObject({ reason: 'revoked' });
          harness.socket.disconnect();
        }
        await enroll(token).expect(401);
        await connect(bystander).expect(200);
        expect(await detail(id)).toMatchObject({ agents: { total: agents === 'delete' ? 0 : 2 } });
        expect((await trail('enrollmentToken.revoked')).at(-1)).toMatchObject({ after: { agents, agentsEnded: 2 } });
      }
    }, 60_000);

    it('alone keeps its agents, which can be ended as a group later', async () => {
      const { id, token } = await mint({ maxUses: 2 });
      const member = await enrolled(token);
      await owner.delete(`${TOKENS}/${id}`).expect(204);
      await enroll(token).expect(401);
      await connect(member).expect(200);
      const { revokedAt } = await detail(id);
      await owner.delete(`${TOKENS}/${id}?agents=delete`).expect(204);
      await connect(member).expect(404);
      expect((await detail(id)).revokedAt).toBe(revokedAt);
      await owner.delete(`${TOKENS}/${id}?agents=burn`).expect(400);
    });

    it('S6 while harnesses register leaves none of them an agent that works', async () => {
      const { id, token } = await mint({ maxUses: 100 });
      const arriving = Array.from({ length: 30 }, async () => enroll(token, { enrollmentKey: newKey() }));
      await eventually(async () => expect((await detail(id)).uses).toBeGreaterThan(0));
      await owner.delete(`${TOKENS}/${id}?agents=delete`).expect(204);
      for (const { status, body } of await Promise.all(arriving)) {
        if (status === 201) await connect(body as EnrollResponse).expect(404);
        else expect(status).toBe(401);
      }
      expect((await detail(id)).agents.total).toBe(0);
    }, 60_000);
  });
});

describe('the throttle of registering', () => {
  let controller: Booted;

  beforeAll(async () => {
    controller = await boot({ CONNECT_FAILURES_PER_ADDRESS: '5', CONNECT_FAILURE_WINDOW_SECONDS: '3' });
  }, 60_000);

  afterAll(() => controller.close(), 60_000);

  it('S7 counts refusals per address, not registrations, and says how long', async () => {
    const owner = await controller.user(newOrg());
    const { token } = (await owner.post(TOKENS, { name: 'n', maxUses: 20 }).expect(201)).body as CreatedEnrollmentToken;
    const enroll = (value: string) => controller.anonymous.post('/agents/enroll', { token: value });
    for (let n = 0; n < 8; n++) await enroll(token).expect(201);
    for (let n = 0; n < 5; n++) await enroll(`re_${newKey()}`).expect(401);
    const refused = await enroll(token).expect(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    await new Promise((resolve) => setTimeout(resolve, Number(refused.headers['retry-after']) * 1000));
    await enroll(token).expect(201);
  }, 30_000);
});
