import { getConnectionToken } from '@nestjs/mongoose';
import { newId } from '@reins/shared/ids';
import { type Connection } from 'mongoose';
import { boot, type Booted, type Caller, newOrg } from './callers';

/** Values no field was made for. `undefined` leaves the field out. */
const NASTY: readonly unknown[] = [
  undefined,
  null,
  true,
  -1,
  1e308,
  0.5,
  '',
  ' ',
  'x'.repeat(100_000),
  '\0',
  'a\0b\r\nc',
  '\ud800',
  '𝕏‮אבג 🤖',
  '../../etc/passwd',
  '$(id)`id`"\'\\',
  [],
  [[[[]]]],
  ['x', null, 1],
  {},
  { $gt: '' },
  { $where: 'sleep(1000)' },
  { 'a.b': 1, '': 2 },
  JSON.parse('{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}') as unknown,
];

const deep = (depth: number, open: string, close: string): string => open.repeat(depth) + '1' + close.repeat(depth);

/** Whole bodies, sent as they are. */
const BODIES: readonly string[] = [
  '',
  'null',
  '1',
  '"text"',
  '[]',
  '{',
  '{"name":',
  'undefined',
  '\0',
  '{"name":"a","name":null}',
  deep(100_000, '[', ']'),
  deep(100_000, '{"settings":', '}'),
  `{"settings":${deep(50_000, '{"a":', '}')},"metrics":${deep(50_000, '{"a":', '}')}}`,
];

interface Route {
  method: 'post' | 'put' | 'patch';
  path: string;
  /** A body that is right, whose fields are then spoilt one by one. */
  valid: Record<string, unknown>;
  /** Sent by an agent with its own token, or by nobody, instead of an owner. */
  as?: 'anonymous' | 'agent';
}

const RUNTIME = { name: ':unique', description: 'd', baseImage: 'i', vwImage: 'v', tags: ['t'] };
const WORKER = {
  name: ':unique',
  description: 'd',
  runtimeId: ':runtime',
  cliType: 'codex',
  agentMd: 'm',
  modelConfig: { provider: 'p', model: 'm', temperature: 1, maxTokens: 1 },
  mcpServers: [{ name: 'n', url: 'https://a.example' }],
  workerRepoUrl: 'https://a.example/r',
  workerRepoBranch: 'main',
  autoLearn: true,
  timeout: 1,
};
const INSTRUCTION = { name: 'n', systemPrompt: 'A text long enough.', guidelines: ['g'] };
const TOOL = {
  name: 'n',
  type: 'builtin',
  description: 'd',
  category: 'data',
  schema: { inputSchema: {}, outputSchema: {} },
  scope: 'org',
};
const NEW_AGENT = {
  name: 'n',
  description: 'd',
  status: 'active',
  type: 'autonomous',
  instructionId: ':instruction',
  guardrailId: 'g',
  nodeId: ':node',
  tags: ['t'],
  secret: 'a secret long enough',
  allowedToolIds: [':tool'],
  settings: { claude_model: 'm', nested: { a: [1] } },
  role: 'organization.viewer',
};
const CONNECT = {
  secret: NEW_AGENT.secret,
  incarnation: 'i',
  host: 'h',
  harness: { version: '1', protocol: [1, 1] },
  supportedTypes: ['codex'],
  capacity: 1,
};

const ROUTES: readonly Route[] = [
  { method: 'post', path: '/admin/runtimes', valid: RUNTIME },
  { method: 'put', path: '/admin/runtimes/:runtime', valid: RUNTIME },
  { method: 'post', path: '/admin/workers', valid: WORKER },
  { method: 'put', path: '/admin/workers/:worker', valid: WORKER },
  { method: 'post', path: '/admin/workers/:worker/skills/:skill', valid: {} },
  {
    method: 'put',
    path: '/admin/skills/:skill',
    valid: { name: 'n', version: '1.0.0', targetPath: '.', isSystem: true },
  },
  { method: 'put', path: '/admin/system-instructions', valid: { content: 'c' } },
  {
    method: 'post',
    path: '/admin/api-keys',
    valid: { name: 'n', roles: ['organization.viewer'], expiresInSeconds: 1 },
  },
  { method: 'post', path: '/agents', valid: NEW_AGENT },
  { method: 'put', path: '/agents/:other', valid: NEW_AGENT },
  { method: 'patch', path: '/agents/:other', valid: NEW_AGENT },
  { method: 'post', path: '/agents/:other/credentials/regenerate', valid: { overlapSeconds: 1 } },
  { method: 'post', path: '/agents/:agent/connect', valid: CONNECT, as: 'anonymous' },
  { method: 'post', path: '/agents/:agent/heartbeat', valid: { status: 'online', metrics: { cpu: 1 } }, as: 'agent' },
  { method: 'post', path: '/agents/:agent/disconnect', valid: { reason: 'r' }, as: 'agent' },
];

const BAD_IDS = [
  'x',
  '0',
  'wk-',
  '..%2f..',
  '%00',
  '%ff%fe',
  '%ZZ',
  '%',
  'x'.repeat(3000),
  '%F0%9F%A4%96',
  '[object%20Object]',
  '{"$gt":""}',
  '__proto__',
  'constructor',
];
const BY_ID = [
  '/admin/runtimes/:id',
  '/admin/runtimes/by-name/:id',
  '/admin/workers/:id',
  '/admin/workers/by-name/:id',
  '/admin/workers/:id/skills',
  '/admin/skills/:id',
  '/admin/skills/by-name/:id/version/:id',
  '/agents/:id',
  '/agents/:id/config',
];
const LISTS = [
  '/admin/runtimes',
  '/admin/workers',
  '/admin/skills',
  '/admin/system-instructions/versions',
  '/admin/api-keys',
  '/agents',
];
const QUERIES = [
  'limit=x',
  'limit=-1',
  'limit=0',
  'limit=1e9',
  'limit=1&limit=2',
  'limit[]=1',
  'limit[$gt]=1',
  'limit=%00',
  'limit=%ZZ',
  'offset=-1&page=-1',
  `limit=${'9'.repeat(400)}`,
  '__proto__[x]=1&limit=x',
];

describe('bad input', () => {
  let controller: Booted;
  let owner: Caller;
  let agent: Caller;
  let ids: Record<string, string> = {};

  beforeAll(async () => {
    controller = await boot({ CONNECT_FAILURES_PER_AGENT: '1000000', CONNECT_FAILURES_PER_ADDRESS: '1000000' });
    const org = newOrg();
    owner = await controller.user(org);
    const made = async (path: string, body: object, by = owner): Promise<string> => {
      const answer = (await by.raw('post', path, filled(JSON.stringify(body))).expect(201)).body as {
        id?: string;
        _id?: string;
      };
      return answer.id ?? answer._id ?? '';
    };
    ids = { ':runtime': await made('/admin/runtimes', RUNTIME) };
    ids = {
      ...ids,
      ':worker': await made('/admin/workers', WORKER),
      ':skill': await insertSkill(org),
      ':instruction': await made('/instructions', INSTRUCTION),
      ':tool': await made('/tools', TOOL, await controller.user(org, 'universe.owner')),
      ':node': await made('/nodes', { name: 'n', role: ['worker'] }),
    };
    ids = {
      ...ids,
      ':agent': await made('/agents', NEW_AGENT),
      ':other': await made('/agents', NEW_AGENT),
    };
    const credentials = { secret: NEW_AGENT.secret };
    const connected = await controller.anonymous.post(filled('/agents/:agent/connect'), credentials).expect(200);
    agent = controller.bearer((connected.body as { token: string }).token);
  }, 60_000);

  afterAll(() => controller.close(), 60_000);

  const callerOf = (route: Route): Caller =>
    route.as === 'anonymous' ? controller.anonymous : route.as === 'agent' ? agent : owner;
  const filled = (text: string): string =>
    text.replace(/:(runtime|worker|skill|instruction|tool|node|agent|other|unique)\b/g, (name) =>
      name === ':unique' ? newId('runtime') : (ids[name] ?? name),
    );
  const insertSkill = async (orgId: string): Promise<string> => {
    const _id = newId('skill');
    const now = new Date();
    const skill = { name: 'n', version: '0.1.0', targetPath: '.', isSystem: false, defaultInclude: false };
    const skills = controller.app.get<Connection>(getConnectionToken()).collection<{ _id: string }>('skills');
    const stored = { ...skill, orgId, sha256: '0', sizeBytes: 1, createdAt: now, updatedAt: now };
    await skills.insertOne({ _id, ...stored });
    return _id;
  };

  /** Never a 5xx; an error has the shape of its route family, with a code. */
  const judge = (
    what: string,
    path: string,
    { status, body, text }: { status: number; body: unknown; text: string },
  ): void => {
    const answer = `${what}: ${status} ${text.slice(0, 300)}`;
    if (status >= 500) throw new Error(`a server error: ${answer}`);
    if (status < 400) return;
    const shape = path.startsWith('/agents')
      ? { statusCode: status, message: expect.any(String) as string, timestamp: expect.any(String) as string }
      : { error: expect.any(String) as string };
    try {
      expect(body).toMatchObject({
        ...shape,
        code: expect.any(String) as string,
        correlationId: expect.any(String) as string,
      });
    } catch (error) {
      throw new Error(`another shape: ${answer}`, { cause: error });
    }
  };

  const short = (value: unknown): string => (JSON.stringify(value) ?? 'left out').slice(0, 60);

  it.each(ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s answers every spoilt field in its shape',
    async (name, route) => {
      const right = await callerOf(route).raw(route.method, filled(route.path), filled(JSON.stringify(route.valid)));
      expect([200, 201, 204]).toContain(right.status);
      for (const field of Object.keys(route.valid)) {
        for (const value of NASTY) {
          const answer = await callerOf(route).raw(
            route.method,
            filled(route.path),
            filled(JSON.stringify({ ...route.valid, [field]: value })),
          );
          judge(`${name} with ${field} = ${short(value)}`, route.path, answer);
        }
      }
    },
    120_000,
  );

  it.each(ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s answers every broken body in its shape',
    async (name, route) => {
      for (const body of BODIES) {
        const answer = await callerOf(route).raw(route.method, filled(route.path), body);
        judge(`${name} with the body ${body.slice(0, 40)}`, route.path, answer);
      }
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'application/json; charset=nonsense',
        'x',
      ]) {
        judge(
          `${name} as ${type}`,
          route.path,
          await callerOf(route).raw(route.method, filled(route.path), '{"a":1}', type),
        );
      }
    },
    120_000,
  );

  it('a body over the limit is refused as such', async () => {
    const body = JSON.stringify({ name: 'x'.repeat(5 * 1024 * 1024) });
    for (const path of ['/admin/runtimes', '/agents']) {
      const answer = await owner.raw('post', path, body);
      judge(`a large body to ${path}`, path, answer);
      expect(answer.status).toBe(413);
    }
  });

  it.each(BY_ID)('%s answers malformed ids with 400 or 404', async (route) => {
    for (const id of BAD_IDS) {
      const path = route.replaceAll(':id', id);
      const answer = await owner.get(path);
      judge(path.slice(0, 80), route, answer);
      // A traversal is resolved before it is sent and may end at another route.
      if (!id.includes('..')) expect([400, 404]).toContain(answer.status);
    }
  });

  it.each(LISTS)('%s answers malformed pages with 400', async (path) => {
    for (const query of QUERIES) judge(`${path}?${query}`, path, await owner.get(`${path}?${query}`));
    expect((await owner.get(`${path}?limit=x`)).status).toBe(400);
  });

  it('unknown routes and methods are answered in the shape of their family', async () => {
    for (const path of ['/nowhere', '/agents/a/b/c/d', '/admin/nothing', '/%ZZ', '/agents/%ZZ']) {
      const answer = await owner.get(path);
      judge(path, path, answer);
      expect([400, 404]).toContain(answer.status);
    }
    judge('a missing method', '/agents', await owner.put('/agents', {}));
  });
});
