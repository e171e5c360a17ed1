import { type AgentPage, type AgentView } from '@reins/shared/api/agents';
import { type ConnectResponse } from '@reins/shared/link/connect';
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

describe('definitions of agents', () => {
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

  const create = async (more: object = {}): Promise<AgentView> => {
    const body = { name: 'Support', description: 'd', status: 'active', type: 'autonomous', secret: SECRET, ...more };
    return (await owner.post('/agents', body).expect(201)).body as AgentView;
  };
  const connected = async (id: string): Promise<ConnectResponse> =>
    (await controller.anonymous.post(`/agents/${id}/connect`, { secret: SECRET }).expect(200)).body as ConnectResponse;
  const view = async (id: string): Promise<AgentView> =>
    (await owner.get(`/agents/${id}`).expect(200)).body as AgentView;
  const heard = async <T extends BusTopic>(topic: T, act: () => PromiseLike<unknown>): Promise<BusMessages[T][]> => {
    const messages: BusMessages[T][] = [];
    const end = controller.app.get(Bus).subscribe(topic, (message) => void messages.push(message));
    await act();
    end();
    return messages;
  };

  describe('definitions', () => {
    it('cannot change their type', async () => {
      const { _id } = await create({ type: 'managed' });
      expect((await owner.put(`/agents/${_id}`, { type: 'autonomous' }).expect(400)).body).toMatchObject({
        message:
          "Cannot change agent type from 'managed' to 'autonomous'. Please delete and recreate the agent with the desired type.",
      });
      await owner.put(`/agents/${_id}`, { type: 'managed', name: 'same' }).expect(200);
    });

    it('never show a hash, and settings only masked', async () => {
      const agent = await create({ settings: SETTINGS });
      await owner.post(`/agents/${agent._id}/credentials/regenerate`, { overlapSeconds: 60 }).expect(200);
      const { token } = await connected(agent._id);
      const answers = [
        JSON.stringify(agent),
        (await owner.get(`/agents/${agent._id}`)).text,
        (await owner.get(`/agents/${agent._id}?populate=instruction`)).text,
        (await owner.get('/agents')).text,
        (await owner.put(`/agents/${agent._id}`, { description: 'e' })).text,
        (await owner.get(`/agents/${agent._id}/config`)).text,
      ];
      for (const text of answers) {
        expect(text).not.toMatch(/in-clear|\$2b\$|sha256\$|[sS]ecretHash/);
        expect(text).toContain('"discord_token":"***"');
        expect(text).toContain('"auth_roles":["agent","document.reader"]');
      }
      const own = await controller.bearer(token).get(`/agents/${agent._id}/config`).expect(200);
      expect(own.body).toMatchObject({ settings: SETTINGS, token: '', accessToken: '', expiresIn: 0 });
    });

    it('keep their tokens when masked settings are written back', async () => {
      const { _id, settings } = await create({ settings: SETTINGS });
      await owner.put(`/agents/${_id}`, { settings: { ...settings, claude_model: 'opus' } }).expect(200);
      expect((await connected(_id)).settings).toEqual({ ...SETTINGS, claude_model: 'opus' });
    });

    it('announce a new configuration exactly when it has changed', async () => {
      const { _id } = await create();
      const before = await connected(_id);
      expect(await heard('agent.configured', () => owner.put(`/agents/${_id}`, { tags: ['x'] }))).toEqual([]);
      const [message] = await heard('agent.configured', () => owner.put(`/agents/${_id}`, { settings: { a: 1 } }));
      expect(message).toMatchObject({ orgId: org, agentId: _id });
      const after = await connected(_id);
      expect(after.configVersion).not.toBe(before.configVersion);
      expect(after.configVersion).toBe(message?.configVersion);
      expect((await owner.get(`/agents/${_id}/config`)).body).toMatchObject({ configVersion: after.configVersion });
    });

    it('refuse what a .env cannot hold', async () => {
      const base = { name: 'n', description: '', status: 'active', type: 'autonomous' };
      await owner.post('/agents', { ...base, name: 'a\nEVIL=1' }).expect(400);
      const settings = { discord_token: 'a\nEVIL=1' };
      const refused = await owner.post('/agents', { ...base, settings }).expect(400);
      expect(refused.body).toMatchObject({
        message: 'Validation failed',
        errors: [expect.stringContaining('settings.discord_token') as string],
      });
      const { _id } = await create();
      await owner.put(`/agents/${_id}`, { settings }).expect(400);
    });
  });

  describe('lists', () => {
    it('have pages, filters, sorting and statistics', async () => {
      await create({ name: 'Alpha (1)', tags: ['x'] });
      await create({ name: 'beta', status: 'inactive' });
      await create({ name: 'Gamma', type: 'managed' });
      const list = async (query: string) => (await owner.get(`/agents?${query}`).expect(200)).body as AgentPage;
      const all = await list('page=1&limit=2');
      expect(all.pagination).toEqual({ page: 1, limit: 2, total: 3, totalPages: 2 });
      expect(all.statistics).toEqual({
        total: 3,
        byStatus: { active: 2, inactive: 1 },
        byType: { autonomous: 2, managed: 1 },
      });
      expect(all.data).toHaveLength(2);
      const names = async (query: string) => (await list(query)).data.map(({ name }) => name);
      expect(await names('filter[status]=inactive')).toEqual(['beta']);
      expect(await names('filter[name]=a%20(1')).toEqual(['Alpha (1)']);
      expect(await names('filter[name]=.*')).toEqual([]);
      expect(await names('filter[tags]=x')).toEqual(['Alpha (1)']);
      expect(await names('sort[name]=1')).toEqual(['Alpha (1)', 'Gamma', 'beta']);
      expect(await names('sort[name]=-1&limit=1&page=2')).toEqual(['Gamma']);
    });

    it('cannot be widened to another organisation', async () => {
      await create();
      const stranger = await controller.user(newOrg());
      expect(((await stranger.get('/agents').expect(200)).body as AgentPage).pagination.total).toBe(0);
      for (const query of [
        `filter[owner.orgId]=${org}`,
        `filter[orgId]=${org}`,
        'filter[$or]=1',
        'filter[status][$ne]=x',
      ]) {
        expect((await stranger.get(`/agents?${query}`).expect(400)).body).toMatchObject({
          message: 'Validation failed',
        });
      }
    });
  });

  it('of another organisation do not exist', async () => {
    const { _id } = await create();
    const stranger = await controller.user(newOrg());
    await stranger.get(`/agents/${_id}`).expect(404);
    await stranger.get(`/agents/${_id}?populate=instruction`).expect(404);
    await stranger.get(`/agents/${_id}/config`).expect(404);
    await stranger.put(`/agents/${_id}`, { name: 'mine' }).expect(404);
    await stranger.delete(`/agents/${_id}`).expect(404);
    expect(await view(_id)).toMatchObject({ name: 'Support' });
  });
});
