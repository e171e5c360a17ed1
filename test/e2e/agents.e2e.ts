import { setTimeout as sleep } from 'node:timers/promises';
import { execFileSync } from 'node:child_process';
import { getConnectionToken } from '@nestjs/mongoose';
import { type AgentPage, type AgentView, type RegenerateResponse } from '@reins/shared/api/agents';
import { newObjectId } from '@reins/shared/ids';
import { ConnectResponse } from '@reins/shared/link/connect';
import { type Connection } from 'mongoose';
import { AgentLinkService } from '../../apps/controller/src/agents/agent-link.service';
import { AgentsService } from '../../apps/controller/src/agents/agents.service';
import { PresenceService } from '../../apps/controller/src/agents/presence/presence.service';
import { orgScope } from '../../apps/controller/src/access/principal';
import { Bus, type BusMessages, type BusTopic } from '../../apps/controller/src/bus/bus';
import { boot, type Booted, type Caller, newOrg } from './callers';

const SECRET = 'test-secret-123456';
const SETTINGS = {
  auth_roles: ['agent', 'document.reader'],
  claude_model: 'claude-3-5-haiku-latest',
  claude_maxTurns: 100,
  claude_permissionMode: 'bypassPermissions',
  claude_resume: true,
  claude_oauthToken: 'oauth-in-clear',
  discord_token: 'discord-in-clear',
  discord_channelIds: ['123456789'],
  telegram: { token: 'telegram-in-clear', groupIds: ['-100'] },
};

describe('agents', () => {
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

  const create = async (more: object = {}): Promise<AgentView> => {
    const body = { name: 'Support', description: 'd', status: 'active', type: 'autonomous', secret: SECRET, ...more };
    return (await owner.post('/agents', body).expect(201)).body as AgentView;
  };
  const connect = (id: string, secret = SECRET, more: object = {}) =>
    controller.anonymous.post(`/agents/${id}/connect`, { secret, ...more });
  const connected = async (id: string, secret = SECRET, more: object = {}): Promise<ConnectResponse> =>
    (await connect(id, secret, more).expect(200)).body as ConnectResponse;
  const regenerate = async (id: string, body?: object): Promise<RegenerateResponse> =>
    (await owner.post(`/agents/${id}/credentials/regenerate`, body).expect(200)).body as RegenerateResponse;
  const view = async (id: string): Promise<AgentView> =>
    (await owner.get(`/agents/${id}`).expect(200)).body as AgentView;
  const heard = async <T extends BusTopic>(topic: T, act: () => PromiseLike<unknown>): Promise<BusMessages[T][]> => {
    const messages: BusMessages[T][] = [];
    const end = controller.app.get(Bus).subscribe(topic, (message) => void messages.push(message));
    await act();
    end();
    return messages;
  };

  describe("the guide's integration", () => {
    it('creates, regenerates, connects, beats and says goodbye', async () => {
      const agent = await create({ settings: SETTINGS });
      const { agentId, secret, envConfig, installScript } = await regenerate(agent._id);
      expect(agentId).toBe(agent._id);
      expect(secret).toMatch(/^[0-9a-f]{64}$/);
      expect(envConfig).toContain(
        `AIWM_BASE_URL=${controller.url}\nAIWM_AGENT_ID=${agentId}\nAIWM_AGENT_SECRET=${secret}\n`,
      );
      expect(envConfig).toContain('DISCORD_TOKEN=discord-in-clear\n');
      execFileSync('bash', ['-n'], { input: installScript });

      const answer = await connected(agentId, secret);
      expect(ConnectResponse.parse(answer)).toEqual(answer);
      expect(answer).toMatchObject({
        accessToken: answer.token,
        expiresIn: 86_400,
        tokenType: 'bearer',
        refreshToken: null,
        refreshExpiresIn: 0,
        instruction: 'No instruction configured for this agent.',
        tools: [],
        agent: { id: agentId, name: 'Support', orgId: org },
        settings: SETTINGS,
        session: null,
        link: { url: controller.url, namespace: '/harness', protocol: 1, heartbeatMs: 10_000, leaseMs: 45_000 },
      });
      const claims = JSON.parse(Buffer.from(answer.token.split('.')[1] ?? '', 'base64url').toString()) as object;
      expect(claims).toMatchObject({
        sub: agentId,
        username: `agent:${agentId}`,
        status: 'active',
        roles: ['organization.viewer'],
        orgId: org,
        agentId,
        userId: '',
        type: 'agent',
      });

      const me = controller.bearer(answer.token);
      const metrics = { cpu: 45, memory: 60, activeConnections: 3 };
      const { body: beat } = await me.post(`/agents/${agentId}/heartbeat`, { status: 'online', metrics }).expect(200);
      const { configVersion } = answer;
      expect(beat).toEqual({ success: true, acknowledged: true, nextHeartbeat: 60, configVersion });
      expect(await view(agentId)).toMatchObject({
        connected: true,
        connectionCount: 1,
        lastConnectedAt: expect.any(String) as string,
        lastHeartbeatAt: expect.any(String) as string,
        heartbeat: { status: 'online', metrics },
      });
      await me.post(`/agents/${agentId}/disconnect`).expect(200, { success: true });
      expect(await view(agentId)).toMatchObject({ connected: false, lastConnectedAt: expect.any(String) as string });
    });

    it('refuses a wrong secret, an unknown agent and a beat without a token', async () => {
      const { _id } = await create();
      expect((await connect(_id, 'wrong-secret').expect(401)).body).toMatchObject({
        statusCode: 401,
        message: 'Invalid credentials',
        path: `/agents/${_id}/connect`,
        correlationId: expect.any(String) as string,
      });
      const nobody = newObjectId();
      expect((await connect(nobody).expect(404)).body).toMatchObject({ message: `Agent with ID ${nobody} not found` });
      await controller.anonymous.post(`/agents/${_id}/heartbeat`, { status: 'online' }).expect(401);
      await controller.bearer('nonsense').post(`/agents/${_id}/heartbeat`, { status: 'online' }).expect(401);
    });

    it('knows no agent without credentials, and none that is managed', async () => {
      const { _id } = await create({ secret: undefined });
      await connect(_id).expect(401);
      const managed = await create({ type: 'managed' });
      await connect(managed._id).expect(401);
      const refused = await owner.post(`/agents/${managed._id}/credentials/regenerate`).expect(400);
      expect(refused.body).toMatchObject({ message: 'Only autonomous agents have credentials to regenerate' });
    });
  });

  describe('regenerate', () => {
    it('ends the old secret and the old token at once', async () => {
      const { _id } = await create();
      const { token } = await connected(_id);
      const messages = await heard('agent.revoked', () => regenerate(_id));
      expect(messages).toEqual([{ orgId: org, agentId: _id, reason: 'revoked' }]);
      await connect(_id).expect(401);
      const beat = await controller.bearer(token).post(`/agents/${_id}/heartbeat`, { status: 'idle' }).expect(401);
      expect(beat.body).toMatchObject({ code: 'token_revoked' });
    });

    it('lets both secrets work for the time of an overlap, and the old one no longer', async () => {
      const { _id } = await create();
      const { token } = await connected(_id);
      const { secret } = await regenerate(_id, { overlapSeconds: 2 });
      await connected(_id);
      await connected(_id, secret);
      await controller.bearer(token).post(`/agents/${_id}/heartbeat`, { status: 'idle' }).expect(200);
      await sleep(2100);
      await connect(_id).expect(401);
      await connected(_id, secret);
    });

    it('is for owners and editors of the organisation alone', async () => {
      const { _id } = await create();
      const { token } = await connected(_id);
      const path = `/agents/${_id}/credentials/regenerate`;
      await controller.anonymous.post(path).expect(401);
      await (await controller.user(org, 'organization.viewer')).post(path).expect(403);
      await controller.bearer(token).post(path).expect(403);
      await (await controller.user(newOrg())).post(path).expect(404);
      await (await controller.user(org, 'organization.editor')).post(path).expect(200);
    });
  });

  describe('tokens', () => {
    it('belong to one agent', async () => {
      const [a, b] = [await create({ name: 'a' }), await create({ name: 'b' })];
      const { token } = await connected(a._id);
      const me = controller.bearer(token);
      for (const [path, body] of [
        ['heartbeat', { status: 'online' }],
        ['disconnect', {}],
      ] as const) {
        await me.post(`/agents/${b._id}/${path}`, body).expect(403);
        await owner.post(`/agents/${a._id}/${path}`, body).expect(403);
      }
      await me.get(`/agents/${b._id}/config`).expect(403);
      await me.get(`/agents/${a._id}`).expect(403);
      await me.get('/agents').expect(403);
      await me.put(`/agents/${a._id}`, { role: 'organization.owner' }).expect(403);
      await me.get('/admin/workers').expect(403);
    });

    it.each([
      ['suspending', { status: 'suspended' }, 401, 'agent_suspended'],
      ['a new role', { role: 'organization.owner' }, 401, 'token_revoked'],
    ])('end with %s', async (_, change, status, code) => {
      const { _id } = await create();
      const { token } = await connected(_id);
      const messages = await heard('agent.revoked', () => owner.put(`/agents/${_id}`, change).expect(200));
      expect(messages).toEqual([{ orgId: org, agentId: _id, reason: 'revoked' }]);
      const beat = await controller.bearer(token).post(`/agents/${_id}/heartbeat`, { status: 'online' });
      expect([beat.status, (beat.body as { code: string }).code]).toEqual([status, code]);
    });

    it('do not come back when a suspended agent is activated again', async () => {
      const { _id } = await create();
      const { token } = await connected(_id);
      await owner.put(`/agents/${_id}`, { status: 'suspended' }).expect(200);
      expect((await connect(_id).expect(401)).body).toMatchObject({ message: 'Agent is suspended' });
      await owner.put(`/agents/${_id}`, { status: 'active' }).expect(200);
      await controller.bearer(token).post(`/agents/${_id}/heartbeat`, { status: 'online' }).expect(401);
      await connected(_id);
    });

    it('end with the agent', async () => {
      const { _id } = await create();
      const { token } = await connected(_id);
      await owner.delete(`/agents/${_id}`).expect(200, { message: 'Agent deleted successfully' });
      await controller.bearer(token).post(`/agents/${_id}/heartbeat`, { status: 'online' }).expect(404);
      expect((await connect(_id).expect(404)).body).toMatchObject({ message: `Agent with ID ${_id} not found` });
      await owner.get(`/agents/${_id}`).expect(404);
      await owner.delete(`/agents/${_id}`).expect(404);
      expect(((await owner.get('/agents')).body as AgentPage).data).toEqual([]);
      const rows = controller.app.get<Connection>(getConnectionToken()).collection<{ _id: string }>('agents');
      expect(await rows.findOne({ _id })).toMatchObject({ isDeleted: true, deletedAt: expect.any(Date) as Date });
    });
  });

  describe('incarnations', () => {
    it('count processes, not token refreshes, and never come back once superseded', async () => {
      const { _id } = await create();
      await connected(_id, SECRET, { incarnation: 'inc-a' });
      await connected(_id, SECRET, { incarnation: 'inc-a' });
      expect(await view(_id)).toMatchObject({ connectionCount: 1 });
      const messages = await heard('agent.connected', () => connected(_id, SECRET, { incarnation: 'inc-b' }));
      expect(messages).toEqual([{ orgId: org, agentId: _id, incarnation: 'inc-b' }]);
      expect((await connect(_id, SECRET, { incarnation: 'inc-a' }).expect(409)).body).toMatchObject({
        code: 'agent_superseded',
      });
      expect(await view(_id)).toMatchObject({ connectionCount: 2 });
    });

    it('of many connects at once, exactly one is the newest', async () => {
      const { _id } = await create();
      await connected(_id);
      const names = ['1', '2', '3', '4'];
      const answers = await Promise.all(names.map((incarnation) => connect(_id, SECRET, { incarnation })));
      const accepted = answers.filter(({ status }) => status === 200).length;
      expect(answers.map(({ status }) => status).filter((status) => ![200, 409].includes(status))).toEqual([]);
      expect(accepted).toBeGreaterThanOrEqual(1);
      const again = await Promise.all(names.map((incarnation) => connect(_id, SECRET, { incarnation })));
      expect(again.filter(({ status }) => status === 200)).toHaveLength(1 + names.length - accepted);
    });

    it('are let in on the socket only as connect has accepted them', async () => {
      const { _id } = await create();
      const link = controller.app.get(AgentLinkService);
      const admit = (incarnation: string) => link.admitIncarnation(orgScope(org), _id, incarnation);
      const superseded = expect.objectContaining({ code: 'agent_superseded' }) as Error;
      await connected(_id, SECRET, { incarnation: 'a' });
      await admit('a');
      await expect(admit('foreign')).rejects.toEqual(superseded);
      await connected(_id, SECRET, { incarnation: 'b' });
      await expect(admit('a')).rejects.toEqual(superseded);
      await connected(_id);
      await admit('b');
      await admit('c');
      await expect(admit('b')).rejects.toEqual(superseded);
      await expect(admit('d')).rejects.toEqual(superseded);
    });
  });

  describe('managed agents', () => {
    it('are minted for one session, renewed for each start and retired with it', async () => {
      const agents = controller.app.get(AgentsService);
      const scope = orgScope(org);
      const { agentId, secret } = await agents.createManaged(scope, { name: 'session x', sessionId: 'sess-x' });
      // The right secret, but a session that does not exist: nothing to connect for.
      await connect(agentId, secret).expect(404);
      await connect(agentId, 'wrong').expect(401);
      const renewed = await controller.app.get(AgentLinkService).renewManaged(scope, agentId);
      await connect(agentId, secret).expect(401);
      await connect(agentId, renewed).expect(404);
      await owner.post(`/agents/${agentId}/credentials/regenerate`).expect(400);
      expect(await heard('agent.revoked', () => agents.retire(scope, agentId))).toEqual([
        { orgId: org, agentId, reason: 'ended' },
      ]);
      await owner.get(`/agents/${agentId}`).expect(404);
    });
  });

  it('drop metrics of a beat that cannot be stored, not the beat', async () => {
    const { _id } = await create();
    const deep = JSON.parse('{"a":'.repeat(5000) + '1' + '}'.repeat(5000)) as Record<string, unknown>;
    const beat = { status: 'busy' as const, metrics: deep };
    const state = await controller.app.get(PresenceService).heartbeat(orgScope(org), _id, beat, { via: 'http' });
    expect(state.configVersion).toEqual(expect.any(String));
    expect(await view(_id)).toMatchObject({ heartbeat: { status: 'busy', metrics: {} } });
  });
});
