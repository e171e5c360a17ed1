import { type AiwmDeleted } from '@reins/shared/api/aiwm';
import { type ToolView } from '@reins/shared/api/tools';
import { newObjectId } from '@reins/shared/ids';
import { ToolsService } from '../../apps/controller/src/definitions/tools/tools.service';
import { orgScope } from '../../apps/controller/src/access/principal';
import { boot, type Booted, type Caller, newOrg } from './callers';
import { heard, made, newAgent, page, stored, TOOL, trail, WIDENING } from './definition-world';

const MCP = { transport: 'http', endpoint: 'https://mcp.example/x', dockerImage: 'example/mcp:1', port: 8080 };
const EXECUTION = { method: 'GET', baseUrl: 'https://api.example/v1', path: '/weather/{city}' };

jest.setTimeout(30_000);

describe('tools', () => {
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

  const create = (more: object = {}): Promise<ToolView> => made<ToolView>(owner, '/tools', { ...TOOL, ...more });
  const createApi = (execution: object = {}, more: object = {}): Promise<ToolView> =>
    create({ type: 'api', execution: { ...EXECUTION, ...execution }, ...more });

  it('are created, read, changed by PATCH or PUT, and deleted', async () => {
    const tool = await create();
    expect(tool).toMatchObject({ ...TOOL, shared: false, owner: { orgId: org } });
    const path = `/tools/${tool._id}`;
    expect((await owner.get(path).expect(200)).body).toEqual(tool);
    const change = { description: 'Reads more', type: 'api', schema: { inputSchema: {}, outputSchema: {} } };
    expect((await owner.patch(path, change).expect(200)).body).toMatchObject({ ...change, type: 'builtin' });
    expect((await owner.put(path, { category: 'data' }).expect(200)).body).toMatchObject({ category: 'data' });
    const gone = (await owner.delete(path).expect(200)).body as AiwmDeleted;
    expect(gone).toEqual({ _id: tool._id, deletedAt: expect.any(String) as string });
  });

  it('of type mcp need to say where and what they are', async () => {
    const refused = await owner.post('/tools', { ...TOOL, type: 'mcp' }).expect(400);
    const { errors } = refused.body as { errors: string[] };
    expect(errors.map((error) => error.split(':')[0])).toEqual(['transport', 'endpoint', 'dockerImage', 'port']);
    expect(await create({ type: 'mcp', ...MCP })).toMatchObject(MCP);
  });

  it('of type api have an execution, which AIWM could not set', async () => {
    const tool = await createApi();
    expect(tool.execution).toEqual({ ...EXECUTION, headers: {}, authRequired: false, timeout: 30_000 });
    const other = { ...EXECUTION, method: 'POST', timeout: 1000 };
    const changed = (await owner.patch(`/tools/${tool._id}`, { execution: other }).expect(200)).body as ToolView;
    expect(changed.execution).toMatchObject(other);
    await owner.post('/tools', { ...TOOL, execution: EXECUTION }).expect(400);
    const builtin = await create({ name: 'builtin' });
    await owner.patch(`/tools/${builtin._id}`, { execution: EXECUTION }).expect(400);
  });

  it.each([
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(101) }, 'name'],
    [{ type: 'unknown' }, 'type'],
    [{ description: 'x'.repeat(501) }, 'description'],
    [{ category: 'games' }, 'category'],
    [{ schema: { inputSchema: {} } }, 'schema'],
    [{ schema: undefined }, 'schema'],
    [{ status: 'busy' }, 'status'],
    [{ scope: 'universe' }, 'scope'],
    [{ port: 80 }, 'port'],
    [{ endpoint: 'ftp://x.example' }, 'endpoint'],
    [{ environment: { 'A B': 'x' } }, 'environment'],
    [{ type: 'api', execution: { ...EXECUTION, baseUrl: 'file:///etc/passwd' } }, 'execution'],
    [{ type: 'api', execution: { ...EXECUTION, baseUrl: 'https://user:pw@api.example' } }, 'execution'],
    [{ type: 'api', execution: { ...EXECUTION, path: 'no-slash' } }, 'execution'],
    [{ type: 'api', execution: { ...EXECUTION, headers: { Host: 'x' } } }, 'execution'],
    [{ type: 'api', execution: { ...EXECUTION, headers: { 'X-A': 'a\r\nX-B: b' } } }, 'execution'],
    [{ type: 'api', execution: { ...EXECUTION, timeout: 0 } }, 'execution'],
  ])('refuse %j and name it', async (wrong, field) => {
    const refused = await owner.post('/tools', { ...TOOL, ...wrong }).expect(400);
    expect(refused.body).toMatchObject({ message: 'Validation failed' });
    expect((refused.body as { errors: string[] }).errors[0]).toMatch(new RegExp(`^${field}`));
  });

  it('keep the words of JSON Schema, whatever a database would make of them', async () => {
    const inputSchema = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $defs: { city: { type: 'string' } },
      properties: { 'a.b': { $ref: '#/$defs/city' }, '': {} },
    };
    const { _id } = await create({ schema: { inputSchema, outputSchema: {} } });
    expect(((await owner.get(`/tools/${_id}`)).body as ToolView).schema.inputSchema).toEqual(inputSchema);
  });

  it('have names that are unique within the organisation', async () => {
    const { _id } = await create();
    expect((await owner.post('/tools', TOOL).expect(409)).body).toMatchObject({ code: 'name_taken' });
    const other = await create({ name: 'other' });
    await owner.patch(`/tools/${other._id}`, { name: TOOL.name }).expect(409);
    await made(await controller.user(newOrg()), '/tools', TOOL);
    await owner.delete(`/tools/${_id}`).expect(200);
    await create();
  });

  it('S9 show secrets of their environment and their headers masked, and keep them when sent back so', async () => {
    const headers = { 'X-Functions-Key': 'header-in-clear', Accept: 'text/plain' };
    const environment = { API_KEY: 'env-in-clear', REGION: 'eu' };
    const { _id } = await createApi({ headers }, { environment });
    const path = `/tools/${_id}`;
    const shown = (await owner.get(path).expect(200)).body as ToolView;
    expect(shown).toMatchObject({
      environment: { API_KEY: '***', REGION: 'eu' },
      execution: { headers: { 'X-Functions-Key': '***', Accept: 'text/plain' } },
    });
    await owner.patch(path, { execution: shown.execution, environment: shown.environment }).expect(200);
    expect(await stored(controller, 'tools', _id)).toMatchObject({ environment, execution: { headers } });
    const texts = [(await owner.get('/tools')).text, JSON.stringify(await trail(controller, _id))];
    for (const text of texts) expect(text).not.toContain('in-clear');
  });

  it('S9 do not let whoever edits them send hidden headers to another address', async () => {
    const { _id, execution } = await createApi({ headers: { Authorization: 'Bearer in-clear' } });
    const moved = { ...execution, baseUrl: 'https://thief.example/v1' };
    const refused = await owner.patch(`/tools/${_id}`, { execution: moved }).expect(400);
    expect(refused.body).toMatchObject({
      errors: [expect.stringContaining('execution.headers.Authorization') as string],
    });
    await owner.patch(`/tools/${_id}`, { execution: { ...moved, headers: { Authorization: 'mine' } } }).expect(200);
  });

  it('C6 cannot be deactivated or deleted while an agent may use them', async () => {
    const { _id } = await create();
    const agent = await newAgent(owner, { name: 'Ann', allowedToolIds: [_id] });
    const path = `/tools/${_id}`;
    const who = `It is currently being used by the following active agents: Ann (ID: ${agent._id})`;
    expect((await owner.delete(path).expect(409)).body).toMatchObject({
      code: 'in_use',
      message: `Cannot delete tool. ${who}`,
      details: { activeAgents: [{ id: agent._id, name: 'Ann' }] },
    });
    const refused = await owner.patch(path, { status: 'inactive' }).expect(409);
    expect(refused.body).toMatchObject({ message: `Cannot deactivate tool. ${who}` });
    await owner.put(`/agents/${agent._id}`, { allowedToolIds: [] }).expect(200);
    await owner.patch(path, { status: 'inactive' }).expect(200);
    await owner.delete(path).expect(200);
  });

  it('C7 a malformed id is 400', async () => {
    for (const method of ['get', 'patch', 'put', 'delete'] as const) {
      expect((await owner[method]('/tools/nonsense', {}).expect(400)).body).toMatchObject({ code: 'invalid_id' });
    }
  });

  it('C8 a missing one is 404 for reads, changes and deletes', async () => {
    const { _id: deleted } = await create();
    await owner.delete(`/tools/${deleted}`).expect(200);
    for (const id of [newObjectId(), deleted]) {
      for (const method of ['get', 'patch', 'put', 'delete'] as const) {
        const refused = await owner[method](`/tools/${id}`, {}).expect(404);
        expect(refused.body).toMatchObject({ message: `Tool with ID ${id} not found` });
      }
    }
  });

  it('C14 deletedAt is null while it lives, and the row outlives its deletion', async () => {
    const { _id } = await create();
    expect(await stored(controller, 'tools', _id)).toMatchObject({ isDeleted: false, deletedAt: null });
    await owner.delete(`/tools/${_id}`).expect(200);
    const row = await stored(controller, 'tools', _id);
    expect(row).toMatchObject({ isDeleted: true, deletedAt: expect.any(Date) as Date });
  });

  it('are listed by page, filter and sort, with statistics', async () => {
    await create({ name: 'Alpha', category: 'data' });
    await create({ name: 'beta', status: 'error' });
    await createApi({}, { name: 'Gamma', scope: 'org' });
    const all = await page<ToolView>(owner, '/tools?limit=2');
    expect(all.pagination).toEqual({ page: 1, limit: 2, total: 3, totalPages: 2 });
    expect(all.statistics).toEqual({
      total: 3,
      byStatus: { active: 2, error: 1 },
      byType: { builtin: 2, api: 1 },
    });
    const names = async (query: string) =>
      (await page<ToolView>(owner, `/tools?${query}`)).data.map(({ name }) => name);
    expect(await names('filter[type]=api')).toEqual(['Gamma']);
    expect(await names('filter[category]=data')).toEqual(['Alpha']);
    expect(await names('filter[scope]=org')).toEqual(['Gamma']);
    expect(await names('filter[status]=error')).toEqual(['beta']);
    expect(await names('filter[name]=AM')).toEqual(['Gamma']);
    expect(await names('sort[name]=1')).toEqual(['Alpha', 'Gamma', 'beta']);
    await owner.get('/tools?filter[status]=').expect(400);
  });

  it('O7 the limit of a page is 100', async () => {
    await owner.get('/tools?limit=100').expect(200);
    await owner.get('/tools?limit=101').expect(400);
  });

  it('S3 no filter widens the scope, carries an operator or probes a field', async () => {
    await create();
    const stranger = await controller.user(newOrg());
    for (const query of [...WIDENING(org), 'filter[shared]=true', 'filter[environment]=x', 'filter[schemaJson]=x']) {
      await stranger.get(`/tools?${query}`).expect(400);
    }
  });

  it('S4 another organisation finds nothing, public or not, and changes nothing', async () => {
    const { _id } = await create({ scope: 'public' });
    const stranger = await controller.user(newOrg());
    for (const method of ['get', 'patch', 'put', 'delete'] as const) {
      await stranger[method](`/tools/${_id}`, { name: 'mine' }).expect(404);
    }
    const strangers = (await page<ToolView>(stranger, '/tools')).data.map((tool) => tool._id);
    expect(strangers).not.toContain(_id);
  });

  it('are read by viewers and written by editors', async () => {
    const { _id } = await create();
    const viewer = await controller.user(org, 'organization.viewer');
    await viewer.get(`/tools/${_id}`).expect(200);
    await viewer.get('/tools').expect(200);
    await viewer.post('/tools', TOOL).expect(403);
    for (const method of ['patch', 'put', 'delete'] as const) await viewer[method](`/tools/${_id}`, {}).expect(403);
    const editor = await controller.user(org, 'organization.editor');
    await editor.patch(`/tools/${_id}`, { description: 'edited' }).expect(200);
    await editor.delete(`/tools/${_id}`).expect(200);
  });

  it('announce each edit and leave a trail', async () => {
    const { _id } = await create();
    const change = { orgId: org, kind: 'tool', id: _id };
    const path = `/tools/${_id}`;
    const edit = () => owner.patch(path, { name: 'b' }).expect(200);
    expect(await heard(controller, 'definition.changed', edit)).toEqual([change]);
    expect(await heard(controller, 'definition.changed', () => owner.delete(path).expect(200))).toEqual([change]);
    const actions = (await trail(controller, _id)).map(({ action }) => action);
    expect(actions).toEqual(['tool.created', 'tool.updated', 'tool.deleted']);
  });

  it('are handed out in the order asked for, the active ones or all', async () => {
    const tools = controller.app.get(ToolsService);
    const a = await create({ name: 'a' });
    const b = await create({ name: 'b', status: 'inactive' });
    const c = await create({ name: 'c' });
    const scope = orgScope(org);
    const ids = [c._id, newObjectId(), b._id, a._id, c._id];
    const found = async (list: Promise<{ _id: string }[]>) => (await list).map(({ _id }) => _id);
    expect(await found(tools.findAll(scope, ids))).toEqual([c._id, b._id, a._id]);
    expect(await found(tools.findActive(scope, ids))).toEqual([c._id, a._id]);
    expect(await found(tools.findAll(orgScope(newOrg()), ids))).toEqual([]);
  });

  describe('shared by the universe owner', () => {
    let universe: Caller;
    let shared: ToolView;

    beforeEach(async () => {
      universe = await controller.user('platform', 'universe.owner');
      shared = await made<ToolView>(universe, '/tools', { ...TOOL, name: `shared-${newOrg()}` });
    });

    it('are seen and used by every organisation, and changed by none', async () => {
      expect(shared).toMatchObject({ shared: true, scope: 'public' });
      expect((await owner.get(`/tools/${shared._id}`).expect(200)).body).toMatchObject({ name: shared.name });
      expect((await page<ToolView>(owner, '/tools')).data.map(({ _id }) => _id)).toContain(shared._id);
      await owner.patch(`/tools/${shared._id}`, { description: 'mine' }).expect(403);
      await owner.delete(`/tools/${shared._id}`).expect(403);
      const platformEditor = await controller.user('platform', 'organization.editor');
      await platformEditor.patch(`/tools/${shared._id}`, { description: 'mine' }).expect(403);
      await newAgent(owner, { allowedToolIds: [shared._id] });
    });

    it('are not shared unless public was asked for, nor from within another organisation', async () => {
      const silent = await made<ToolView>(universe, '/tools', { ...TOOL, name: newOrg(), scope: undefined });
      expect(silent).toMatchObject({ scope: 'public', shared: false });
      const chosen = newObjectId();
      const acting = await universe.post('/tools', TOOL).set({ 'X-Organization-Id': chosen });
      expect(acting.body).toMatchObject({ shared: false, owner: { orgId: chosen } });
      expect(await create({ scope: 'public' })).toMatchObject({ shared: false });
    });

    it('cannot be taken away from agents of other organisations, which are counted and not named', async () => {
      await newAgent(owner, { name: 'Secret name', allowedToolIds: [shared._id] });
      for (const call of [
        universe.delete(`/tools/${shared._id}`),
        universe.patch(`/tools/${shared._id}`, { status: 'inactive' }),
        universe.patch(`/tools/${shared._id}`, { scope: 'org' }),
      ]) {
        const { status, text } = await call;
        expect([status, text]).toEqual([409, expect.stringContaining('agents of 1 other organisation(s)')]);
        expect(text).not.toContain('Secret name');
      }
    });

    it('announce an edit to each organisation whose agents are configured from them', async () => {
      await newAgent(owner, { allowedToolIds: [shared._id] });
      const edit = () => universe.patch(`/tools/${shared._id}`, { description: 'new' }).expect(200);
      expect(await heard(controller, 'definition.changed', edit)).toEqual([
        { orgId: 'platform', kind: 'tool', id: shared._id },
        { orgId: org, kind: 'tool', id: shared._id },
      ]);
    });
  });
});
