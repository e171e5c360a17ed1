import { getConnectionToken } from '@nestjs/mongoose';
import { type AgentPage, type AgentView, type PopulatedAgentView } from '@reins/shared/api/agents';
import { type InstructionView } from '@reins/shared/api/instructions';
import { type ToolView } from '@reins/shared/api/tools';
import { newObjectId } from '@reins/shared/ids';
import { ConnectResponse } from '@reins/shared/link/connect';
import { type Connection } from 'mongoose';
import { boot, type Booted, type Caller, newOrg } from './callers';

const SECRET = 'test-secret-123456';
const PROMPT = 'You are a helpful assistant for tests.';
const GUIDELINES = ['Be brief.', 'Be kind.'];
const TEXT = `${PROMPT}\n\n## Guidelines\n1. Be brief.\n2. Be kind.\n`;

interface Refusal {
  message: string;
  code: string;
  errors: string[];
}

jest.setTimeout(60_000);

describe('what an agent is configured from', () => {
  let controller: Booted;
  let org: string;
  let owner: Caller;
  let stranger: Caller;

  beforeAll(async () => {
    controller = await boot();
  }, 60_000);

  afterAll(() => controller.close(), 60_000);

  beforeEach(async () => {
    org = newOrg();
    owner = await controller.user(org);
    stranger = await controller.user(newOrg());
  });

  const rows = () => controller.app.get<Connection>(getConnectionToken());
  const agentRow = (_id: string) => rows().collection<{ _id: string }>('agents').findOne({ _id });
  const setRow = (collection: string, _id: string, $set: object) =>
    rows().collection<{ _id: string }>(collection).updateOne({ _id }, { $set });

  const instruction = async (more: object = {}, by = owner): Promise<InstructionView> => {
    const body = { name: 'Test', systemPrompt: PROMPT, guidelines: GUIDELINES, ...more };
    return (await by.post('/instructions', body).expect(201)).body as InstructionView;
  };
  const tool = async (name: string, more: object = {}, by = owner): Promise<ToolView> => {
    const schema = { inputSchema: { type: 'object' }, outputSchema: {} };
    const body = { name, type: 'builtin', description: 'd', category: 'productivity', schema, ...more };
    return (await by.post('/tools', body).expect(201)).body as ToolView;
  };
  const node = async (by = owner): Promise<string> =>
    ((await by.post('/nodes', { name: 'n', role: ['worker'] }).expect(201)).body as { _id: string })._id;
  const body = (more: object) => ({
    name: 'Support',
    description: 'd',
    status: 'active',
    type: 'autonomous',
    secret: SECRET,
    ...more,
  });
  const create = async (more: object = {}): Promise<AgentView> =>
    (await owner.post('/agents', body(more)).expect(201)).body as AgentView;
  const connect = async (id: string): Promise<ConnectResponse> =>
    (await controller.anonymous.post(`/agents/${id}/connect`, { secret: SECRET }).expect(200)).body as ConnectResponse;
  const universe = async (): Promise<Caller> => controller.user(org, 'universe.owner');

  describe('references', () => {
    it('S8 lead to the own organisation alone, at create and at update, and the refusal names field and id', async () => {
      const foreign = {
        instructionId: (await instruction({}, stranger))._id,
        nodeId: await node(stranger),
        tool: (await tool('foreign', { scope: 'org' }, await universeOf(stranger)))._id,
      };
      const { _id } = await create();
      for (const [field, value, id] of [
        ['instructionId', foreign.instructionId, foreign.instructionId],
        ['nodeId', foreign.nodeId, foreign.nodeId],
        ['allowedToolIds', [foreign.tool], foreign.tool],
        ['instructionId', 'nonsense', 'nonsense'],
        ['nodeId', newObjectId(), ''],
        ['allowedToolIds', [(await tool('own', {}, await universe()))._id, 'nonsense'], 'nonsense'],
      ] as const) {
        for (const call of [
          owner.post('/agents', body({ [field]: value })),
          owner.put(`/agents/${_id}`, { [field]: value }),
        ]) {
          const { message, code, errors } = (await call.expect(400)).body as Refusal;
          expect([message, code]).toEqual(['Validation failed', 'validation_failed']);
          expect(errors).toHaveLength(1);
          expect(errors[0]).toContain(field);
          expect(errors[0]).toContain(id);
        }
      }
      expect(await agentRow(_id)).not.toHaveProperty('instructionId');
    });

    it('S8 are taken where they lead somewhere, and one tool may be shared with every organisation', async () => {
      const other = await controller.user(newOrg(), 'universe.owner');
      const shared = await tool('shared', { scope: 'public' }, other);
      const own = await tool('own', {}, await universe());
      const references = { instructionId: (await instruction())._id, nodeId: await node() };
      const agent = await create({ ...references, allowedToolIds: [shared._id, own._id.toUpperCase(), shared._id] });
      expect(agent).toMatchObject({ ...references, allowedToolIds: [shared._id, own._id] });
      expect((await connect(agent._id)).tools.map(({ name }) => name)).toEqual(['shared', 'own']);
      // What is there already is not asked about again.
      await setRow('nodes', references.nodeId, { isDeleted: true });
      await owner.put(`/agents/${agent._id}`, { ...references, name: 'other' }).expect(200);
      const cleared = (await owner.put(`/agents/${agent._id}`, { nodeId: null, instructionId: '' }).expect(200)).body;
      expect(cleared).not.toHaveProperty('nodeId');
      expect(cleared).not.toHaveProperty('instructionId');
    });

    it('S8 that came into the database by another way deliver nothing of another organisation', async () => {
      const { _id } = await create();
      const theirs = await instruction({}, stranger);
      const theirTool = await tool('theirs', { scope: 'org' }, await universeOf(stranger));
      await setRow('agents', _id, { instructionId: theirs._id, allowedToolIds: [theirTool._id] });
      expect(await connect(_id)).toMatchObject({ instruction: 'Instruction not found.', tools: [], mcpServers: {} });
      const populated = (await owner.get(`/agents/${_id}?populate=instruction`).expect(200)).body as PopulatedAgentView;
      expect(populated.instructionId).toBeNull();
    });
  });

  describe('populate', () => {
    it('S4 puts the instruction in, on one agent and on the list, and leaves no way around the organisation', async () => {
      const { _id: instructionId } = await instruction();
      const agent = await create({ instructionId });
      const plain = await create({ name: 'without' });
      const one = (await owner.get(`/agents/${agent._id}?populate=instruction`).expect(200)).body as PopulatedAgentView;
      const expected = { _id: instructionId, systemPrompt: PROMPT, guidelines: GUIDELINES, owner: { orgId: org } };
      expect(one).toMatchObject({ name: 'Support', instructionId: expected });
      const list = (await owner.get('/agents?populate=instruction&sort[name]=1').expect(200))
        .body as AgentPage<PopulatedAgentView>;
      expect(list.data.map(({ instructionId: shown }) => shown?._id)).toEqual([instructionId, undefined]);
      expect(list.statistics).toMatchObject({ total: 2 });

      const { token } = await connect(agent._id);
      await stranger.get(`/agents/${agent._id}?populate=instruction`).expect(404);
      await controller.bearer(token).get(`/agents/${agent._id}?populate=instruction`).expect(403);
      await controller.anonymous.get(`/agents/${agent._id}?populate=instruction`).expect(401);
      for (const value of ['secretHash', 'instructionId', '', 'instruction&populate=tools']) {
        await owner.get(`/agents/${plain._id}?populate=${value}`).expect(400);
        await owner.get(`/agents?populate=${value}`).expect(400);
      }
    });
  });

  describe('the connect answer', () => {
    it('C2 carries the exact merged text, its parts, and the allowed active tools in their order', async () => {
      const by = await universe();
      const [a, b, c] = [await tool('a', {}, by), await tool('b', {}, by), await tool('c', {}, by)];
      const { _id: instructionId } = await instruction();
      const { _id } = await create({ instructionId, allowedToolIds: [c._id, a._id, b._id] });
      await setRow('tools', a._id, { status: 'error' });
      const answer = await connect(_id);
      expect(ConnectResponse.parse(answer)).toEqual(answer);
      expect(answer.instruction).toBe(TEXT);
      expect(answer.instructionDetail).toEqual({ id: instructionId, systemPrompt: PROMPT, guidelines: GUIDELINES });
      expect(answer.tools).toEqual([c, b]);
      expect(answer).not.toHaveProperty('deployment');
      await owner.put(`/agents/${_id}`, { allowedToolIds: [] }).expect(200);
      expect(await connect(_id)).toMatchObject({ tools: [], mcpServers: {} });
    });

    it('C2 names the servers of mcp tools, and the own one with the token that only the agent sees', async () => {
      const by = await universe();
      const mcp = { type: 'mcp', transport: 'http', endpoint: 'http://127.0.0.1:9/mcp', dockerImage: 'i', port: 2000 };
      const weather = await tool('weather', mcp, by);
      const call = await tool('call', { type: 'api' }, by);
      const { _id } = await create({ allowedToolIds: [weather._id, call._id] });
      const answer = await connect(_id);
      const builtin = (token: string) => ({
        type: 'http',
        url: `${controller.url}/mcp`,
        headers: { Authorization: `Bearer ${token}` },
      });
      const servers = { weather: { type: 'http', url: 'http://127.0.0.1:9/mcp' } };
      expect(answer.mcpServers).toEqual({ ...servers, Builtin: builtin(answer.token) });
      const config = async (caller: Caller) =>
        (await caller.get(`/agents/${_id}/config`).expect(200)).body as ConnectResponse;
      expect((await config(controller.bearer(answer.token))).mcpServers.Builtin).toEqual(builtin(answer.token));
      const shown = await config(await controller.user(org, 'organization.viewer'));
      expect(shown.mcpServers).toEqual({ ...servers, Builtin: builtin('<USER_ACCESS_TOKEN>') });
      expect(shown.configVersion).toBe(answer.configVersion);
    });

    it('C13 says that an instruction is inactive instead of delivering it, and none such can be assigned', async () => {
      const { _id: instructionId } = await instruction();
      const { _id } = await create({ instructionId });
      await setRow('instructions', instructionId, { status: 'inactive' });
      const { instruction: text, instructionDetail } = await connect(_id);
      expect(text).toBe('The instruction of this agent is inactive.');
      expect(instructionDetail).toEqual({ id: '', systemPrompt: text, guidelines: [] });
      const refused = (await owner.post('/agents', body({ instructionId })).expect(400)).body as Refusal;
      expect(refused.errors[0]).toContain('inactive');
      await owner.put(`/agents/${_id}`, { instructionId, name: 'kept' }).expect(200);
    });

    it('C19 hands the guardrail label to the agent, and the API says that nothing is enforced by it', async () => {
      const { _id } = await create({ guardrailId: 'guard-1' });
      expect((await connect(_id)).agent).toEqual({ id: _id, name: 'Support', orgId: org, guardrailId: 'guard-1' });
      await owner.put(`/agents/${_id}`, { guardrailId: null }).expect(200);
      expect((await connect(_id)).agent).not.toHaveProperty('guardrailId');
      const { body: api } = await controller.anonymous.get('/api-docs/openapi.json');
      expect(JSON.stringify(api)).toContain('Reins has no guardrails');
    });
  });

  describe('an agent', () => {
    it('C3 is created with 201; connect, heartbeat, disconnect and regenerate answer 200', async () => {
      const { _id } = await create();
      const { token } = await connect(_id);
      const me = controller.bearer(token);
      await me.post(`/agents/${_id}/heartbeat`, { status: 'online' }).expect(200);
      await me.post(`/agents/${_id}/disconnect`, {}).expect(200);
      await owner.post(`/agents/${_id}/credentials/regenerate`).expect(200);
      await owner.delete(`/agents/${_id}`).expect(200);
    });

    it('C4 gets its role at create, and its token says so', async () => {
      const agent = await create({ role: 'organization.editor' });
      expect(agent.role).toBe('organization.editor');
      expect(claimsOf((await connect(agent._id)).token)).toMatchObject({ roles: ['organization.editor'] });
    });

    it('C5 gains nothing from settings.auth_roles', async () => {
      const { _id } = await create({ settings: { auth_roles: ['universe.owner', 'organization.owner'] } });
      const { token, settings } = await connect(_id);
      expect(settings).toEqual({ auth_roles: ['universe.owner', 'organization.owner'] });
      expect(claimsOf(token)).toMatchObject({ roles: ['organization.viewer'] });
      const me = controller.bearer(token);
      await me.get('/agents').expect(403);
      await me.put(`/agents/${_id}`, { role: 'organization.owner' }).expect(403);
    });

    it('C9 keeps the settings an edit does not name: merged in depth, null takes away, masks keep', async () => {
      const settings = {
        claude_model: 'a',
        discord: { token: 'in-clear', channelIds: ['1'] },
        extra: { deep: { x: 1 } },
      };
      const { _id } = await create({ settings });
      const edit = {
        claude_model: 'b',
        discord: { token: '***', channelIds: ['2', '3'] },
        extra: { deep: { x: null, y: 2 } },
      };
      await owner.patch(`/agents/${_id}`, { settings: edit }).expect(200);
      const discord = { token: 'in-clear', channelIds: ['2', '3'] };
      expect((await connect(_id)).settings).toEqual({ claude_model: 'b', discord, extra: { deep: { y: 2 } } });
      await owner.put(`/agents/${_id}`, { settings: { discord: null, extra: null } }).expect(200);
      expect((await connect(_id)).settings).toEqual({ claude_model: 'b' });
      await owner.put(`/agents/${_id}`, { name: 'n', deploymentId: 'd-1' }).expect(200);
      const stored = await agentRow(_id);
      expect(stored).toMatchObject({ name: 'n', settings: { claude_model: 'b' } });
      expect(stored).not.toHaveProperty('deploymentId');
    });

    it('C9 keeps both of two edits at once, and no sum of edits grows past the bound', async () => {
      const { _id } = await create();
      const keys = ['a', 'b', 'c', 'd'];
      await Promise.all(keys.map((key) => owner.put(`/agents/${_id}`, { settings: { [key]: 1 } }).expect(200)));
      expect((await connect(_id)).settings).toEqual({ a: 1, b: 1, c: 1, d: 1 });
      const half = 'x'.repeat(40_000);
      await owner.put(`/agents/${_id}`, { settings: { one: half } }).expect(200);
      await owner.put(`/agents/${_id}`, { settings: { two: half } }).expect(400);
    });

    it('C15 without a secret at create has none that anybody could have lost', async () => {
      const { _id } = await create({ secret: undefined });
      expect(await agentRow(_id)).not.toHaveProperty('secretHash');
      await controller.anonymous.post(`/agents/${_id}/connect`, { secret: SECRET }).expect(401);
      const { secret } = (await owner.post(`/agents/${_id}/credentials/regenerate`).expect(200)).body as {
        secret: string;
      };
      await controller.anonymous.post(`/agents/${_id}/connect`, { secret }).expect(200);
    });
  });

  it('S9 shows tokens of settings to nobody but the agent: views, lists, configurations and the trail', async () => {
    const settings = { discord_token: 'in-clear', nested: { apiKey: 'in-clear' }, url: 'https://u:in-clear@host/' };
    const { _id } = await create({ settings });
    const { token } = await connect(_id);
    await owner.put(`/agents/${_id}`, { settings: { discord_token: 'changed-in-clear' } }).expect(200);
    const viewer = await controller.user(org, 'organization.viewer');
    for (const path of [`/agents/${_id}`, `/agents/${_id}?populate=instruction`, '/agents', `/agents/${_id}/config`]) {
      const { text } = await viewer.get(path).expect(200);
      expect(text).toContain('"discord_token":"***"');
      expect(text).not.toContain('in-clear');
    }
    const own = (await controller.bearer(token).get(`/agents/${_id}/config`).expect(200)).body as ConnectResponse;
    expect(own.settings).toEqual({ ...settings, discord_token: 'changed-in-clear' });
    await owner.put(`/agents/${_id}`, { status: 'suspended' }).expect(200);
    await owner.delete(`/agents/${_id}`).expect(200);
    const trail = await rows().collection('audit').find({ 'target.id': _id }).sort({ _id: 1 }).toArray();
    const agentActions = trail.map(({ action }) => action as string).filter((action) => action.startsWith('agent.'));
    expect(agentActions).toEqual(['agent.created', 'agent.updated', 'agent.suspended', 'agent.deleted']);
    expect(JSON.stringify(trail)).not.toMatch(/in-clear|\$2b\$|secretHash/);
    expect(trail[1]).toMatchObject({ before: { settings: { discord_token: '***' } }, after: { settings: {} } });
    expect(trail[2]).toMatchObject({ before: { status: 'active' }, after: { status: 'suspended' } });
  });

  describe('GET /agents/:id/config', () => {
    it('O3 has an ETag: 304 while nothing was edited, another one after an edit', async () => {
      const { _id } = await create({ settings: { a: 1 } });
      const { token } = await connect(_id);
      const me = controller.bearer(token);
      const first = await me.get(`/agents/${_id}/config`).expect(200);
      const etag = first.headers.etag ?? '';
      expect(etag).toContain((first.body as ConnectResponse).configVersion);
      const again = await me.get(`/agents/${_id}/config`).set({ 'If-None-Match': etag }).expect(304);
      expect(again.text).toBe('');
      // What the owner is shown has masks in it, so it is something else.
      const masked = await owner.get(`/agents/${_id}/config`).set({ 'If-None-Match': etag }).expect(200);
      await owner
        .get(`/agents/${_id}/config`)
        .set({ 'If-None-Match': masked.headers.etag ?? '' })
        .expect(304);
      await owner.put(`/agents/${_id}`, { settings: { a: 2 } }).expect(200);
      const after = await me.get(`/agents/${_id}/config`).set({ 'If-None-Match': etag }).expect(200);
      expect(after.headers.etag).not.toBe(etag);
      expect((after.body as ConnectResponse).settings).toEqual({ a: 2 });
    });

    it('is for readers of the organisation and the agent itself', async () => {
      const [a, b] = [await create({ name: 'a' }), await create({ name: 'b' })];
      const { token } = await connect(b._id);
      const path = `/agents/${a._id}/config`;
      await (await controller.user(org, 'organization.viewer')).get(path).expect(200);
      await stranger.get(path).expect(404);
      await controller.bearer(token).get(path).expect(403);
      await controller.anonymous.get(path).expect(401);
      await (await controller.user(org, 'nobody')).get(path).expect(403);
    });
  });

  async function universeOf(caller: Caller): Promise<Caller> {
    const { body: made } = await caller.post('/agents', body({})).expect(201);
    return controller.user((made as AgentView).owner.orgId, 'universe.owner');
  }
});

function claimsOf(token: string): object {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as object;
}
