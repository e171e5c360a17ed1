import { getConnectionToken } from '@nestjs/mongoose';
import { type RuntimeView, type SkillView, type WorkerView } from '@reins/shared/api/definitions';
import { newId } from '@reins/shared/ids';
import { type Connection } from 'mongoose';
import { boot, type Booted, type Caller, newOrg } from './callers';

describe('definitions', () => {
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

  const newRuntime = async (name = 'node'): Promise<RuntimeView> =>
    (await owner.post('/admin/runtimes', { name, baseImage: 'node:20-slim' }).expect(201)).body as RuntimeView;
  const newWorker = async (more: object = {}): Promise<WorkerView> => {
    const runtimeId = (more as { runtimeId?: string }).runtimeId ?? (await newRuntime(newId('runtime'))).id;
    const body = { name: 'engineer', cliType: 'claude-code', runtimeId, ...more };
    return (await owner.post('/admin/workers', body).expect(201)).body as WorkerView;
  };

  describe('runtimes', () => {
    it('are created, read, changed and deleted', async () => {
      const created = await newRuntime('node 20');
      expect(created).toEqual({
        id: expect.stringMatching(/^rt-/) as string,
        name: 'node 20',
        baseImage: 'node:20-slim',
        tags: [],
        warmPods: 0,
        createdAt: expect.any(String) as string,
        updatedAt: expect.any(String) as string,
      });
      await owner.get(`/admin/runtimes/${created.id}`).expect(200, created);
      await owner.get('/admin/runtimes/by-name/node%2020').expect(200, created);
      const { body } = await owner.put(`/admin/runtimes/${created.id}`, { vwImage: 'vw:1' }).expect(200);
      expect(body).toMatchObject({ ...created, vwImage: 'vw:1', updatedAt: expect.any(String) as string });
      await owner.delete(`/admin/runtimes/${created.id}`).expect(204);
      const missing = await owner.get(`/admin/runtimes/${created.id}`).expect(404);
      expect(missing.body).toMatchObject({ error: 'Runtime not found', code: 'runtime_not_found' });
      await owner.delete(`/admin/runtimes/${created.id}`).expect(404);
    });

    it('have a name of their own within their organisation', async () => {
      const [{ id }] = [await newRuntime('a'), await newRuntime('b')];
      expect((await owner.post('/admin/runtimes', { name: 'a', baseImage: 'x' }).expect(409)).body).toMatchObject({
        code: 'name_taken',
      });
      await owner.put(`/admin/runtimes/${id}`, { name: 'b' }).expect(409);
      await stranger.post('/admin/runtimes', { name: 'a', baseImage: 'x' }).expect(201);
    });

    it('stay while a worker uses them', async () => {
      const worker = await newWorker();
      const refused = await owner.delete(`/admin/runtimes/${worker.runtimeId}`).expect(409);
      expect(refused.body).toMatchObject({ code: 'in_use', details: { workers: 1 } });
      await owner.delete(`/admin/workers/${worker.id}`).expect(204);
      await owner.delete(`/admin/runtimes/${worker.runtimeId}`).expect(204);
    });

    it('are listed newest first, in pages', async () => {
      for (const name of ['a', 'b', 'c']) await newRuntime(name);
      const { body } = await owner.get('/admin/runtimes?limit=2').expect(200).expect('X-Total-Count', '3');
      expect((body as RuntimeView[]).map(({ name }) => name)).toEqual(['c', 'b']);
      const rest = await owner.get('/admin/runtimes?limit=2&offset=2').expect(200);
      expect((rest.body as RuntimeView[]).map(({ name }) => name)).toEqual(['a']);
    });
  });

  describe('workers', () => {
    it('have the documented defaults', async () => {
      const worker = await newWorker();
      expect(worker).toMatchObject({
        id: expect.stringMatching(/^wk-/) as string,
        workerRepoBranch: 'main',
        autoLearn: false,
        timeout: 3600,
        skills: [],
      });
      await owner.get(`/admin/workers/${worker.id}`).expect(200, worker);
      await owner.get('/admin/workers/by-name/engineer').expect(200, worker);
      await owner.get('/admin/workers').expect(200, [worker]).expect('X-Total-Count', '1');
    });

    it('keep every field, and change only those that are sent', async () => {
      const worker = await newWorker({
        description: 'd',
        agentMd: '# Rules\n',
        modelConfig: { provider: 'anthropic', model: 'm', temperature: 0.5, maxTokens: 100 },
        mcpServers: [{ name: 'docs', url: 'https://mcp.example/sse' }],
        workerRepoUrl: 'git@git.example:team/knowledge.git',
        workerRepoBranch: 'trunk',
        autoLearn: true,
        timeout: 60,
      });
      const { body } = await owner.put(`/admin/workers/${worker.id}`, { timeout: 120 }).expect(200);
      expect(body).toEqual({ ...worker, timeout: 120, updatedAt: expect.any(String) as string });
    });

    it('need a runtime of their organisation', async () => {
      const { id } = await newRuntime();
      const body = { name: 'w', cliType: 'codex', runtimeId: id };
      for (const refused of [
        await stranger.post('/admin/workers', body).expect(400),
        await owner.post('/admin/workers', { ...body, runtimeId: 'rt-nothing' }).expect(400),
      ]) {
        expect(refused.body).toMatchObject({
          error: 'Validation Error',
          details: [{ path: 'runtimeId', code: 'not_found' }],
        });
      }
      const worker = await newWorker();
      await owner.put(`/admin/workers/${worker.id}`, { runtimeId: 'rt-nothing' }).expect(400);
    });

    it('refuse a repository git could be tricked with', async () => {
      const { id: runtimeId } = await newRuntime();
      for (const workerRepoUrl of ['ext::sh -c id', '--upload-pack=x', 'file:///etc', 'https://a.example/%0a']) {
        const refused = await owner.post('/admin/workers', { name: 'w', cliType: 'codex', runtimeId, workerRepoUrl });
        expect(refused.status).toBe(400);
        expect(refused.body).toMatchObject({ code: 'repository_refused', details: [{ path: 'workerRepoUrl' }] });
        expect(refused.text).not.toContain(workerRepoUrl);
      }
    });

    it('never show the credentials of their repository, and keep them when they are written back masked', async () => {
      const url = 'https://bot:hunter2@git.example/knowledge.git';
      const worker = await newWorker({ workerRepoUrl: url });
      expect(worker.workerRepoUrl).toBe('https://***@git.example/knowledge.git');
      const change = { workerRepoUrl: worker.workerRepoUrl, autoLearn: true };
      const updated = await owner.put(`/admin/workers/${worker.id}`, change).expect(200);
      expect(updated.text).not.toContain('hunter2');
      const stored = await collection('workers').findOne({ _id: worker.id });
      expect(stored).toMatchObject({ workerRepoUrl: url, autoLearn: true });
    });
  });

  const collection = (name: string) =>
    controller.app.get<Connection>(getConnectionToken()).collection<{ _id: string }>(name);

  describe('skills', () => {
    const newSkill = async (version = '1.0.0'): Promise<string> => {
      const now = new Date();
      const skill = {
        _id: newId('skill'),
        orgId: org,
        name: 'review',
        version,
        targetPath: '.',
        isSystem: false,
        defaultInclude: false,
        sha256: '0'.repeat(64),
        sizeBytes: 1,
        createdAt: now,
        updatedAt: now,
      };
      await collection('skills').insertOne(skill);
      return skill._id;
    };

    it('say that packages cannot be uploaded yet', async () => {
      const { body } = await owner.post('/admin/skills?name=a&version=1.0.0').expect(501);
      expect(body).toMatchObject({ code: 'not_implemented', error: expect.stringContaining('yet') as string });
    });

    it('are read, described anew and deleted', async () => {
      const id = await newSkill();
      const other = await newSkill('2.0.0');
      const { body } = await owner.get(`/admin/skills/${id}`).expect(200);
      expect(body).toMatchObject({ id, name: 'review', version: '1.0.0' });
      await owner.get('/admin/skills/by-name/review/version/1.0.0').expect(200, body as object);
      await owner.get('/admin/skills/by-name/review/version/3.0.0').expect(404);
      const changed = await owner.put(`/admin/skills/${id}`, { description: 'Reviews', isSystem: true }).expect(200);
      expect(changed.body).toMatchObject({
        ...(body as SkillView),
        description: 'Reviews',
        isSystem: true,
        updatedAt: expect.any(String) as string,
      });
      await owner.put(`/admin/skills/${id}`, { version: '2.0.0' }).expect(409);
      await owner.delete(`/admin/skills/${id}`).expect(204);
      await owner.get('/admin/skills').expect(200).expect('X-Total-Count', '1');
      await owner.get(`/admin/skills/${other}`).expect(200);
    });

    it('are assigned to workers, taken away, and gone from them once deleted', async () => {
      const { id: worker } = await newWorker();
      const [a, b] = [await newSkill('1.0.0'), await newSkill('1.1.0')];
      await owner.post(`/admin/workers/${worker}/skills/${a}`).expect(204);
      await owner.post(`/admin/workers/${worker}/skills/${a}`).expect(204);
      await owner.post(`/admin/workers/${worker}/skills/${b}`).expect(204);
      const ids = async () =>
        ((await owner.get(`/admin/workers/${worker}/skills`).expect(200)).body as SkillView[]).map(({ id }) => id);
      expect(await ids()).toEqual([a, b]);
      await owner.delete(`/admin/workers/${worker}/skills/${a}`).expect(204);
      expect(await ids()).toEqual([b]);
      await owner.delete(`/admin/skills/${b}`).expect(204);
      expect(((await owner.get(`/admin/workers/${worker}`)).body as WorkerView).skills).toEqual([]);
      await owner.post(`/admin/workers/${worker}/skills/sk-nothing`).expect(404);
      await owner.post(`/admin/workers/wk-nothing/skills/${a}`).expect(404);
    });
  });

  describe('system instructions', () => {
    it('are empty at first, then versioned with their history', async () => {
      const path = '/admin/system-instructions';
      await owner.get(path).expect(200, { content: '', version: 0, updatedAt: null, updatedBy: null });
      await owner.put(path, { content: 'Be brief.' }).expect(200);
      await owner.put(path, { content: 'Be brief.' }).expect(200);
      const { body } = await owner.put(path, { content: 'Be kind.' }).expect(200);
      expect(body).toMatchObject({ content: 'Be kind.', version: 2, updatedBy: expect.any(String) as string });
      await owner.get(path).expect(200, body as object);
      const { body: versions } = await owner.get(`${path}/versions`).expect(200).expect('X-Total-Count', '2');
      expect((versions as { content: string }[]).map(({ content }) => content)).toEqual(['Be kind.', 'Be brief.']);
      expect((await stranger.get(path)).body).toMatchObject({ version: 0 });
    });

    it('keep every one of several edits at once', async () => {
      const path = '/admin/system-instructions';
      const texts = ['a', 'b', 'c', 'd', 'e'];
      await Promise.all(texts.map((content) => owner.put(path, { content }).expect(200)));
      const { body } = await owner.get(`${path}/versions`).expect(200);
      const versions = body as { content: string; version: number }[];
      expect(versions.map(({ version }) => version)).toEqual([5, 4, 3, 2, 1]);
      expect(versions.map(({ content }) => content).sort()).toEqual(texts);
    });
  });

  it('of another organisation do not exist', async () => {
    const worker = await newWorker();
    for (const path of [`/admin/workers/${worker.id}`, `/admin/runtimes/${worker.runtimeId}`]) {
      await stranger.get(path).expect(404);
      await stranger.put(path, { description: 'mine' }).expect(404);
      await stranger.delete(path).expect(404);
    }
    await stranger.get('/admin/workers/by-name/engineer').expect(404);
    await stranger.get(`/admin/workers/${worker.id}/skills`).expect(404);
    await stranger.get('/admin/workers').expect(200, []);
    await owner.get(`/admin/workers/${worker.id}`).expect(200, worker);
  });
});
