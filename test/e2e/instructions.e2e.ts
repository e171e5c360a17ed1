import { type AgentView } from '@reins/shared/api/agents';
import { type AiwmDeleted } from '@reins/shared/api/aiwm';
import { type InstructionView } from '@reins/shared/api/instructions';
import { newObjectId } from '@reins/shared/ids';
import { boot, type Booted, type Caller, newOrg } from './callers';
import { heard, INSTRUCTION, made, newAgent, page, stored, trail, WIDENING } from './definition-world';

jest.setTimeout(30_000);

describe('instructions', () => {
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

  const create = (more: object = {}): Promise<InstructionView> =>
    made<InstructionView>(owner, '/instructions', { ...INSTRUCTION, ...more });

  it('are created, read, changed and deleted', async () => {
    const instruction = await create();
    expect(instruction).toEqual({
      ...INSTRUCTION,
      status: 'active',
      _id: expect.stringMatching(/^[0-9a-f]{24}$/) as string,
      owner: { orgId: org, userId: `organization.owner@${org}` },
      createdBy: expect.any(String) as string,
      updatedBy: expect.any(String) as string,
      createdAt: expect.any(String) as string,
      updatedAt: expect.any(String) as string,
    });
    const path = `/instructions/${instruction._id}`;
    expect((await owner.get(path).expect(200)).body).toEqual(instruction);
    const changed = await owner.put(path, { guidelines: [], unknown: 1 }).expect(200);
    expect(changed.body).toMatchObject({ name: INSTRUCTION.name, guidelines: [], tags: ['test', 'demo'] });
    const gone = (await owner.delete(path).expect(200)).body as AiwmDeleted;
    expect(gone).toEqual({ _id: instruction._id, deletedAt: expect.any(String) as string });
  });

  it('have defaults, and refuse what the contract forbids', async () => {
    const { name, systemPrompt } = INSTRUCTION;
    expect(await made(owner, '/instructions', { name, systemPrompt })).toMatchObject({
      description: '',
      guidelines: [],
      tags: [],
      status: 'active',
    });
    for (const wrong of [
      { name: '' },
      { name: 'x'.repeat(201) },
      { systemPrompt: 'too short' },
      { description: 'x'.repeat(1001) },
      { guidelines: 'x' },
      { status: 'busy' },
    ]) {
      const refused = await owner.post('/instructions', { ...INSTRUCTION, ...wrong }).expect(400);
      expect(refused.body).toMatchObject({
        message: 'Validation failed',
        errors: [expect.stringContaining(Object.keys(wrong)[0] ?? '') as string],
      });
    }
  });

  it('C7 a malformed id is 400, in either case of letters the same one', async () => {
    const { _id } = await create();
    for (const id of ['x', 'null', '0'.repeat(23), 'g'.repeat(24), '{"$gt":""}']) {
      for (const method of ['get', 'put', 'delete'] as const) {
        const refused = await owner[method](`/instructions/${encodeURIComponent(id)}`, {}).expect(400);
        expect(refused.body).toMatchObject({ statusCode: 400, code: 'invalid_id' });
      }
    }
    await owner.get(`/instructions/${_id.toUpperCase()}`).expect(200);
  });

  it('C8 a missing one is 404 for reads, changes and deletes', async () => {
    const missing = newObjectId();
    const { _id: deleted } = await create();
    await owner.delete(`/instructions/${deleted}`).expect(200);
    for (const id of [missing, deleted]) {
      for (const method of ['get', 'put', 'delete'] as const) {
        const refused = await owner[method](`/instructions/${id}`, {}).expect(404);
        expect(refused.body).toMatchObject({ statusCode: 404, message: `Instruction with ID ${id} not found` });
      }
    }
  });

  it('C14 deletedAt is null while it lives, and the row outlives its deletion', async () => {
    const { _id } = await create();
    expect(await stored(controller, 'instructions', _id)).toMatchObject({ isDeleted: false, deletedAt: null });
    await owner.delete(`/instructions/${_id}`).expect(200);
    expect(await stored(controller, 'instructions', _id)).toMatchObject({
      isDeleted: true,
      deletedAt: expect.any(Date) as Date,
    });
    expect((await page(owner, '/instructions')).data).toEqual([]);
  });

  it('cannot be deactivated or deleted while an agent uses them', async () => {
    const { _id } = await create();
    const agent = await newAgent(owner, { name: 'Ann', instructionId: _id });
    const path = `/instructions/${_id}`;
    const who = `It is currently being used by the following active agents: Ann (ID: ${agent._id})`;
    expect((await owner.delete(path).expect(409)).body).toMatchObject({
      code: 'in_use',
      message: `Cannot delete instruction. ${who}`,
      details: { activeAgents: [{ id: agent._id, name: 'Ann' }], total: 1 },
    });
    const refused = await owner.put(path, { status: 'inactive' }).expect(409);
    expect(refused.body).toMatchObject({ message: `Cannot deactivate instruction. ${who}` });
    await owner.put(path, { name: 'renamed' }).expect(200);
    await owner.delete(`/agents/${agent._id}`).expect(200);
    await owner.put(path, { status: 'inactive' }).expect(200);
    await owner.delete(path).expect(200);
  });

  it('name the first of many agents that use them, and count the rest', async () => {
    const { _id } = await create();
    const names = Array.from({ length: 22 }, (_, index) => `agent-${10 + index}`);
    await Promise.all(names.map((name) => newAgent(owner, { name, instructionId: _id, secret: undefined })));
    const { message, details } = (await owner.delete(`/instructions/${_id}`).expect(409)).body as {
      message: string;
      details: { activeAgents: AgentView[]; total: number };
    };
    expect(message).toMatch(/agent-10 \(ID: [0-9a-f]{24}\), agent-11.*, and 2 more$/);
    expect([details.activeAgents.length, details.total]).toEqual([20, 22]);
  });

  it('are listed by page, filter and sort, with statistics', async () => {
    await create({ name: 'Alpha (1)', tags: ['x'] });
    await create({ name: 'beta', status: 'inactive', description: 'find me' });
    await create({ name: 'Gamma' });
    const all = await page<InstructionView>(owner, '/instructions?page=1&limit=2');
    expect(all.pagination).toEqual({ page: 1, limit: 2, total: 3, totalPages: 2 });
    expect(all.statistics).toEqual({ total: 3, byStatus: { active: 2, inactive: 1 }, byType: {} });
    const names = async (query: string) =>
      (await page<InstructionView>(owner, `/instructions?${query}`)).data.map(({ name }) => name);
    expect(await names('')).toEqual(['Gamma', 'beta', 'Alpha (1)']);
    expect(await names('filter[status]=inactive')).toEqual(['beta']);
    expect(await names('filter[name]=A%20(')).toEqual(['Alpha (1)']);
    expect(await names('filter[name]=.*')).toEqual([]);
    expect(await names('filter[description]=ME')).toEqual(['beta']);
    expect(await names('filter[tags]=x')).toEqual(['Alpha (1)']);
    expect(await names('filter[status]=&filter[name]=&sort[name]=1&limit=2')).toEqual(['Alpha (1)', 'Gamma']);
    expect(await names('sort[name]=-1&limit=1&page=3')).toEqual(['Alpha (1)']);
  });

  it('O7 the limit of a page is 100', async () => {
    await owner.get('/instructions?limit=100').expect(200);
    const refused = await owner.get('/instructions?limit=101').expect(400);
    expect(refused.body).toMatchObject({ errors: [expect.stringMatching(/^limit: /) as string] });
  });

  it('S3 no filter widens the scope, carries an operator or probes a field', async () => {
    await create();
    const stranger = await controller.user(newOrg());
    expect((await page(stranger, '/instructions')).pagination.total).toBe(0);
    for (const query of WIDENING(org)) {
      expect((await stranger.get(`/instructions?${query}`).expect(400)).body).toMatchObject({
        message: 'Validation failed',
      });
    }
  });

  it('S4 another organisation finds nothing, and changes nothing', async () => {
    const { _id } = await create();
    const stranger = await controller.user(newOrg());
    for (const method of ['get', 'put', 'delete'] as const) {
      await stranger[method](`/instructions/${_id}`, { name: 'mine' }).expect(404);
    }
    expect((await owner.get(`/instructions/${_id}`)).body).toMatchObject({ name: INSTRUCTION.name });
  });

  it('S4 the name of an organisation is compared as a whole, spaces and all', async () => {
    const [first, second] = [`${org} a`, `${org} b`];
    const ours = await controller.user(first);
    const { _id } = await made<InstructionView>(ours, '/instructions', INSTRUCTION);
    await ours.get(`/instructions/${_id}`).expect(200);
    for (const other of [second, org, `${first} `, `${first} ${_id}`]) {
      await (await controller.user(other)).get(`/instructions/${_id}`).expect(404);
    }
  });

  it('are read by viewers and written by editors', async () => {
    const { _id } = await create();
    const path = `/instructions/${_id}`;
    const viewer = await controller.user(org, 'organization.viewer');
    await viewer.get(path).expect(200);
    await viewer.get('/instructions').expect(200);
    await viewer.post('/instructions', INSTRUCTION).expect(403);
    await viewer.put(path, { name: 'x' }).expect(403);
    await viewer.delete(path).expect(403);
    await controller.anonymous.get(path).expect(401);
    const editor = await controller.user(org, 'organization.editor');
    await editor.put(path, { name: 'edited' }).expect(200);
    await editor.delete(path).expect(200);
  });

  it('announce each edit and leave a trail', async () => {
    const { _id } = await create();
    const change = { orgId: org, kind: 'instruction', id: _id };
    const path = `/instructions/${_id}`;
    expect(await heard(controller, 'definition.changed', () => owner.put(path, { name: 'b' }).expect(200))).toEqual([
      change,
    ]);
    expect(await heard(controller, 'definition.changed', () => owner.delete(path).expect(200))).toEqual([change]);
    const entries = await trail(controller, _id);
    expect(entries.map(({ action }) => action)).toEqual([
      'instruction.created',
      'instruction.updated',
      'instruction.deleted',
    ]);
    expect(entries[1]).toMatchObject({ before: { name: INSTRUCTION.name }, after: { name: 'b' } });
  });
});
