import { execFileSync, spawn } from 'node:child_process';
import { getConnectionToken } from '@nestjs/mongoose';
import { type CreatedNodeToken, type NodeTokenView, type NodeView } from '@reins/shared/api/nodes';
import { newObjectId } from '@reins/shared/ids';
import { type Connection } from 'mongoose';
import { boot, type Booted, type Caller, newOrg } from './callers';
import { connected, made, newAgent, NODE, page, stored, trail, WIDENING } from './definition-world';

const FACTS = {
  hostname: 'gpu-1',
  cpuCores: 16,
  cpuUsage: 12.5,
  ramTotal: 64_000_000_000,
  ramFree: 32_000_000_000,
  gpuDevices: [{ deviceId: '0', model: 'A100', memoryTotal: 80_000_000_000, utilization: 50, temperature: 40 }],
};
const DAY_MS = 86_400_000;

jest.setTimeout(30_000);

describe('nodes', () => {
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

  const create = (more: object = {}): Promise<NodeView> => made<NodeView>(owner, '/nodes', { ...NODE, ...more });
  const view = async (id: string): Promise<NodeView> => (await owner.get(`/nodes/${id}`).expect(200)).body as NodeView;
  const tokenFor = async (id: string, body?: object): Promise<CreatedNodeToken> =>
    (await owner.post(`/nodes/${id}/token`, body).expect(200)).body as CreatedNodeToken;
  const tokensOf = async (id: string): Promise<NodeTokenView[]> =>
    (await owner.get(`/nodes/${id}/tokens`).expect(200)).body as NodeTokenView[];
  const withToken = async (): Promise<{ id: string; tokenId: string; me: Caller; token: string }> => {
    const { _id } = await create();
    const { id, token } = await tokenFor(_id);
    return { id: _id, tokenId: id, token, me: controller.bearer(token) };
  };
  /** As if the node's last beat had been that long ago. */
  const age = async (id: string, ms: number): Promise<void> => {
    const nodes = controller.app.get<Connection>(getConnectionToken()).collection<{ _id: string }>('nodes');
    await nodes.updateOne({ _id: id }, { $set: { aliveAt: new Date(Date.now() - ms) } });
  };

  it('are created with unknown fields dropped, read, changed and deleted', async () => {
    const node = await create();
    expect(node).toMatchObject({
      name: 'test-node-01',
      role: ['worker'],
      isLocal: false,
      status: 'pending',
      websocketConnected: false,
      lastHeartbeat: null,
      tokenMetadata: { tokenGeneratedAt: null, tokenExpiresAt: null, tokenLastUsed: null },
      owner: { orgId: org },
    });
    for (const dropped of ['local', 'specs', 'location']) expect(node).not.toHaveProperty(dropped);
    const path = `/nodes/${node._id}`;
    const change = {
      name: 'renamed',
      status: 'maintenance',
      config: { api_token: 'in-clear', region: 'eu' },
      ...FACTS,
    };
    const changed = (await owner.put(path, change).expect(200)).body as NodeView;
    expect(changed).toMatchObject({ ...FACTS, name: 'renamed', status: 'maintenance' });
    expect(changed.config).toEqual({ api_token: '***', region: 'eu' });
    await owner.put(path, { config: changed.config, ramFree: 1 }).expect(200);
    const row = await stored(controller, 'nodes', node._id);
    expect(row).toMatchObject({ config: { api_token: 'in-clear' }, facts: { ramFree: 1, hostname: 'gpu-1' } });
    await owner.delete(path).expect(200, { message: 'Node deleted successfully' });
    await owner.get(path).expect(404);
  });

  it.each([{ name: '' }, { role: [] }, { role: ['king'] }, { role: 'worker' }, { isLocal: 'no' }, { vpnIp: 'a\nb' }])(
    'refuse %j',
    async (wrong) => {
      await owner.post('/nodes', { ...NODE, ...wrong }).expect(400);
    },
  );

  it.each([{ status: 'healthy' }, { cpuCores: -1 }, { lastHeartbeat: 'yesterday' }, { config: { $where: '1' } }])(
    'refuse the change %j',
    async (wrong) => {
      const { _id } = await create();
      await owner.put(`/nodes/${_id}`, wrong).expect(400);
    },
  );

  it('cannot be deleted while an agent names them', async () => {
    const { _id } = await create();
    const agent = await newAgent(owner, { name: 'Ann', nodeId: _id });
    expect((await owner.delete(`/nodes/${_id}`).expect(409)).body).toMatchObject({
      code: 'in_use',
      message: expect.stringContaining(`Ann (ID: ${agent._id})`) as string,
    });
    await owner.delete(`/agents/${agent._id}`).expect(200);
    await owner.delete(`/nodes/${_id}`).expect(200);
  });

  it('C7 a malformed id is 400', async () => {
    for (const method of ['get', 'put', 'delete'] as const) await owner[method]('/nodes/nonsense', {}).expect(400);
    await owner.post('/nodes/nonsense/token').expect(400);
    const { _id } = await create();
    await owner.delete(`/nodes/${_id}/tokens/nonsense`).expect(400);
  });

  it('C8 a missing one is 404', async () => {
    const { _id: deleted } = await create();
    await owner.delete(`/nodes/${deleted}`).expect(200);
    for (const id of [newObjectId(), deleted]) {
      for (const method of ['get', 'put', 'delete'] as const) {
        const refused = await owner[method](`/nodes/${id}`, {}).expect(404);
        expect(refused.body).toMatchObject({ message: `Node with ID ${id} not found` });
      }
      await owner.post(`/nodes/${id}/token`).expect(404);
      await owner.get(`/nodes/${id}/tokens`).expect(404);
    }
  });

  it('C14 deletedAt is null while it lives, and the row outlives its deletion', async () => {
    const { _id } = await create();
    expect(await stored(controller, 'nodes', _id)).toMatchObject({ isDeleted: false, deletedAt: null });
    await owner.delete(`/nodes/${_id}`).expect(200);
    const row = await stored(controller, 'nodes', _id);
    expect(row).toMatchObject({ isDeleted: true, deletedAt: expect.any(Date) as Date });
  });

  it('are listed by page, filter and sort, with statistics', async () => {
    await create({ name: 'Alpha', role: ['worker', 'proxy'] });
    await create({ name: 'beta', isLocal: true });
    await create({ name: 'Gamma', vpnIp: '10.1.2.3' });
    const all = await page<NodeView>(owner, '/nodes?limit=2');
    expect(all.pagination).toEqual({ page: 1, limit: 2, total: 3, totalPages: 2 });
    expect(all.statistics).toEqual({ total: 3, byStatus: { pending: 3 }, byType: {} });
    const names = async (query: string) =>
      (await page<NodeView>(owner, `/nodes?${query}`)).data.map(({ name }) => name);
    expect(await names('filter[role]=proxy')).toEqual(['Alpha']);
    expect(await names('filter[isLocal]=true')).toEqual(['beta']);
    expect(await names('filter[vpnIp]=10.1.2.3')).toEqual(['Gamma']);
    expect(await names('filter[name]=a&sort[name]=1')).toEqual(['Alpha', 'Gamma', 'beta']);
  });

  it('O7 the limit of a page is 100', async () => {
    await owner.get('/nodes?limit=101').expect(400);
  });

  it('S3 no filter widens the scope, carries an operator or probes a field', async () => {
    await create();
    const stranger = await controller.user(newOrg());
    expect((await page(stranger, '/nodes')).pagination.total).toBe(0);
    for (const query of [...WIDENING(org), 'filter[config]=x']) await stranger.get(`/nodes?${query}`).expect(400);
  });

  it('S4 another organisation finds nothing, and changes nothing', async () => {
    const { id, tokenId } = await withToken();
    const stranger = await controller.user(newOrg());
    for (const method of ['get', 'put', 'delete'] as const) await stranger[method](`/nodes/${id}`, {}).expect(404);
    await stranger.post(`/nodes/${id}/token`).expect(404);
    await stranger.get(`/nodes/${id}/tokens`).expect(404);
    await stranger.delete(`/nodes/${id}/tokens/${tokenId}`).expect(404);
    expect(await tokensOf(id)).toMatchObject([{ id: tokenId, revokedAt: null }]);
  });

  it('are read by viewers and written by editors', async () => {
    const { _id } = await create();
    const viewer = await controller.user(org, 'organization.viewer');
    await viewer.get(`/nodes/${_id}`).expect(200);
    await viewer.get('/nodes').expect(200);
    await viewer.post('/nodes', NODE).expect(403);
    await viewer.put(`/nodes/${_id}`, {}).expect(403);
    await viewer.delete(`/nodes/${_id}`).expect(403);
    await viewer.post(`/nodes/${_id}/token`).expect(403);
    const editor = await controller.user(org, 'organization.editor');
    await editor.put(`/nodes/${_id}`, { name: 'edited' }).expect(200);
    await editor.post(`/nodes/${_id}/token`).expect(200);
  });

  it('leave a trail without tokens', async () => {
    const { id, tokenId, token } = await withToken();
    await owner.put(`/nodes/${id}`, { name: 'b' }).expect(200);
    await owner.delete(`/nodes/${id}/tokens/${tokenId}`).expect(204);
    await owner.delete(`/nodes/${id}`).expect(200);
    const ofNode = await trail(controller, id);
    expect(ofNode.map(({ action }) => action)).toEqual(['node.created', 'node.updated', 'node.deleted']);
    const ofToken = await trail(controller, tokenId);
    expect(ofToken.map(({ action }) => action)).toEqual(['nodeToken.created', 'nodeToken.revoked']);
    expect(JSON.stringify([ofNode, ofToken])).not.toContain(token);
  });

  describe('tokens', () => {
    it('S10 last a day unless asked for, at most a year', async () => {
      const { _id } = await create();
      const lifeOf = async (body?: object) => Date.parse((await tokenFor(_id, body)).expiresAt) - Date.now();
      expect(Math.abs((await lifeOf()) - DAY_MS)).toBeLessThan(60_000);
      expect(Math.abs((await lifeOf({ expiresIn: 31_536_000 })) - 365 * DAY_MS)).toBeLessThan(60_000);
      for (const expiresIn of [31_536_001, 0, -1, 'x']) {
        await owner.post(`/nodes/${_id}/token`, { expiresIn }).expect(400);
      }
      expect((await view(_id)).tokenMetadata).toMatchObject({
        tokenGeneratedAt: expect.any(String) as string,
        tokenExpiresAt: expect.any(String) as string,
        tokenLastUsed: null,
      });
    });

    it('S10 reach their own node’s heartbeat and view, and nothing else', async () => {
      const { id, tokenId, me } = await withToken();
      const { _id: other } = await create({ name: 'other' });
      await me.get(`/nodes/${id}`).expect(200);
      await me.post(`/nodes/${id}/heartbeat`).expect(200);
      const refused = [
        me.get(`/nodes/${other}`),
        me.post(`/nodes/${other}/heartbeat`),
        me.get('/nodes'),
        me.post('/nodes', NODE),
        me.put(`/nodes/${id}`, { role: ['controller'] }),
        me.delete(`/nodes/${id}`),
        me.post(`/nodes/${id}/token`),
        me.get(`/nodes/${id}/tokens`),
        me.delete(`/nodes/${id}/tokens/${tokenId}`),
        me.get('/agents'),
        me.get('/instructions'),
        me.get('/tools'),
        me.get('/sessions'),
        me.get('/admin/api-keys'),
        me.post('/mcp', { jsonrpc: '2.0', id: 1, method: 'ping' }),
      ];
      expect((await Promise.all(refused)).map(({ status }) => status)).toEqual(refused.map(() => 403));
      await owner.post(`/nodes/${id}/heartbeat`).expect(403);
      const agent = await newAgent(owner);
      const { token } = await connected(controller, agent._id);
      await controller.bearer(token).post(`/nodes/${id}/heartbeat`).expect(403);
      await controller.anonymous.post(`/nodes/${id}/heartbeat`).expect(401);
    });

    it('S10 end at once when they are revoked, one by one', async () => {
      const { id, tokenId, me } = await withToken();
      const second = await tokenFor(id);
      await me.post(`/nodes/${id}/heartbeat`).expect(200);
      await owner.delete(`/nodes/${id}/tokens/${tokenId}`).expect(204);
      await owner.delete(`/nodes/${id}/tokens/${tokenId}`).expect(204);
      const refused = await me.post(`/nodes/${id}/heartbeat`).expect(401);
      expect(refused.body).toMatchObject({ code: 'token_revoked' });
      await controller.bearer(second.token).post(`/nodes/${id}/heartbeat`).expect(200);
      expect(await tokensOf(id)).toMatchObject([
        { id: second.id, revokedAt: null, lastUsedAt: expect.any(String) as string },
        { id: tokenId, revokedAt: expect.any(String) as string },
      ]);
      expect(JSON.stringify(await tokensOf(id))).not.toContain(second.token);
      await owner.delete(`/nodes/${id}/tokens/${newObjectId()}`).expect(404);
    });

    it('S10 end with the node', async () => {
      const { id, me } = await withToken();
      await owner.delete(`/nodes/${id}`).expect(200);
      await me.post(`/nodes/${id}/heartbeat`).expect(401);
    });

    it('S10 that were not issued by the controller are worth nothing, signed or not', async () => {
      const { id, tokenId } = await withToken();
      const { _id: other } = await create({ name: 'other' });
      const claims = { sub: id, type: 'node', nodeId: id, orgId: org };
      for (const forged of [claims, { ...claims, jti: newObjectId() }, { ...claims, sub: other, jti: tokenId }]) {
        const caller = controller.bearer(await controller.sign(forged));
        await caller.post(`/nodes/${forged.sub}/heartbeat`).expect(401);
        await caller.get(`/nodes/${forged.sub}`).expect(401);
      }
      const roles = { ...claims, jti: tokenId, roles: ['universe.owner'] };
      await controller
        .bearer(await controller.sign(roles))
        .delete(`/nodes/${id}`)
        .expect(403);
    });

    it('come with a script that bash can read', async () => {
      const { _id } = await create({ name: `it's $(touch pwned)` });
      const { token, installScript } = await tokenFor(_id);
      execFileSync('bash', ['-n'], { input: installScript });
      expect(installScript).toContain(`AIOPS_NODE_TOKEN=${token}\n`);
      expect(installScript).toContain(`AIOPS_CONTROLLER_ENDPOINT=${controller.url}\n`);
      expect(installScript).toContain(`AIOPS_NODE_ID=${_id}\n`);
    });

    it('let the script report the machine it runs on', async () => {
      const { _id } = await create();
      const { installScript } = await tokenFor(_id);
      const script = installScript.replace('-d /run/systemd/system', '-d /nowhere/systemd');
      const env = { PATH: process.env.PATH, HOME: controller.dataDir, INSTALL_DIR: `${controller.dataDir}/node` };
      const child = spawn('bash', ['-s'], { env, stdio: ['pipe', 'ignore', 'inherit'] });
      child.stdin.end(script);
      expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
      expect(await view(_id)).toMatchObject({
        status: 'online',
        hostname: execFileSync('uname', ['-n']).toString().trim(),
        cpuCores: expect.any(Number) as number,
        ramTotal: expect.any(Number) as number,
      });
    });
  });

  describe('heartbeats', () => {
    it('C18 mark the node online with its facts, in words of the list of statuses only', async () => {
      const { id, me } = await withToken();
      const beat = (body?: object) => me.post(`/nodes/${id}/heartbeat`, body);
      await beat({ status: 'healthy' }).expect(400);
      await beat({ status: 'pending' }).expect(400);
      await beat({ status: 'installing' }).expect(200);
      expect(await view(id)).toMatchObject({ status: 'installing' });
      await beat(FACTS).expect(200, { success: true, status: 'online', nextHeartbeat: 60 });
      expect(await view(id)).toMatchObject({
        ...FACTS,
        status: 'online',
        lastHeartbeat: expect.any(String) as string,
        lastMetricsAt: expect.any(String) as string,
        tokenMetadata: { tokenLastUsed: expect.any(String) as string },
      });
      await beat({ cpuUsage: 99 }).expect(200);
      expect(await view(id)).toMatchObject({ ...FACTS, cpuUsage: 99 });
      await beat({ status: 'offline' }).expect(200);
      expect(await view(id)).toMatchObject({ status: 'offline' });
    });

    it('C18 leave a node under maintenance so', async () => {
      const { id, me } = await withToken();
      await owner.put(`/nodes/${id}`, { status: 'maintenance' }).expect(200);
      await me.post(`/nodes/${id}/heartbeat`, FACTS).expect(200, {
        success: true,
        status: 'maintenance',
        nextHeartbeat: 60,
      });
      expect(await view(id)).toMatchObject({ status: 'maintenance', hostname: 'gpu-1' });
    });

    it('C18 missed for more than three beats show the node offline, in lists and statistics too', async () => {
      const { id, me } = await withToken();
      await me.post(`/nodes/${id}/heartbeat`).expect(200);
      const seen = async () => {
        const all = await page<NodeView>(owner, '/nodes');
        const count = async (status: string) => (await page(owner, `/nodes?filter[status]=${status}`)).pagination.total;
        return [all.data[0]?.status, all.statistics.byStatus, await count('online'), await count('offline')];
      };
      await age(id, 170_000);
      expect(await seen()).toEqual(['online', { online: 1 }, 1, 0]);
      await age(id, 181_000);
      expect(await seen()).toEqual(['offline', { offline: 1 }, 0, 1]);
      await me.post(`/nodes/${id}/heartbeat`).expect(200);
      expect(await seen()).toEqual(['online', { online: 1 }, 1, 0]);
    });
  });
});
