import { CreateInstruction } from '@reins/shared/api/instructions';
import { newObjectId } from '@reins/shared/ids';
import { boot, type Booted, type Caller, newOrg } from './callers';
import { connected, INSTRUCTION, made, newAgent, NODE, TOOL } from './definition-world';

/** Values no field was made for, as JSON. The first leaves the field out. */
const NASTY: readonly (string | undefined)[] = [
  undefined,
  'null',
  'true',
  '-1',
  '1e308',
  '0.5',
  '""',
  JSON.stringify('x'.repeat(300_000)),
  '"\\u0000"',
  '"a\\u0000b\\r\\nc"',
  '"\\ud800"',
  '"../../etc/passwd"',
  JSON.stringify('$(id)`id`"\'\\'),
  '[]',
  '[[[[]]]]',
  '["x",null,1]',
  '{}',
  '{"$gt":""}',
  '{"$where":"sleep(1000)"}',
  '{"a.b":1,"":2}',
  '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}',
  `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`,
];
const BODIES = ['', 'null', '1', '"text"', '[]', '{', 'undefined', '\0', '['.repeat(100_000)];

const EXECUTION = {
  method: 'GET',
  baseUrl: 'https://api.example',
  path: '/{a}',
  headers: { 'X-A': 'b' },
  timeout: 100,
};
const API_TOOL = {
  ...TOOL,
  name: ':unique',
  type: 'api',
  transport: 'http',
  endpoint: 'https://a.example',
  dockerImage: 'i',
  port: 8080,
  environment: { A: 'b' },
  healthEndpoint: '/health',
  execution: EXECUTION,
};
const FACTS = {
  hostname: 'h',
  cpuCores: 1,
  cpuUsage: 1,
  ramTotal: 1,
  gpuDevices: [{ deviceId: '0' }],
  uptimeSeconds: 1,
};
const NODE_CHANGE = {
  ...FACTS,
  name: 'n',
  role: ['worker'],
  isLocal: false,
  vpnIp: '10.0.0.1',
  status: 'pending',
  websocketConnected: false,
  lastHeartbeat: '2026-01-01T00:00:00Z',
  config: { a: 1 },
};
const RPC = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x', arguments: { a: 1 } } };

interface Route {
  method: 'post' | 'put';
  path: string;
  valid: Record<string, unknown>;
  as?: 'owner' | 'agent' | 'node';
}
const ROUTES: readonly Route[] = [
  { method: 'post', path: '/instructions', valid: CreateInstruction.parse(INSTRUCTION) },
  { method: 'put', path: '/instructions/:instruction', valid: CreateInstruction.parse(INSTRUCTION) },
  { method: 'post', path: '/tools', valid: API_TOOL },
  { method: 'put', path: '/tools/:tool', valid: API_TOOL },
  { method: 'post', path: '/nodes', valid: { ...NODE, isLocal: true, vpnIp: 'x' } },
  { method: 'put', path: '/nodes/:node', valid: NODE_CHANGE },
  { method: 'post', path: '/nodes/:node/token', valid: { expiresIn: 60 } },
  { method: 'post', path: '/nodes/:node/heartbeat', valid: { ...FACTS, status: 'online' }, as: 'node' },
  { method: 'post', path: '/mcp', valid: RPC, as: 'agent' },
];
const QUERIES = [
  'limit=x',
  'page=-1',
  'limit[$gt]=1',
  'filter[%00]=1',
  'filter[name]=%ff',
  'sort=%ZZ',
  '__proto__[x]=1',
];

jest.setTimeout(120_000);

describe('bad input to definitions', () => {
  let controller: Booted;
  let callers: Record<'owner' | 'agent' | 'node', Caller>;
  let ids: Record<string, string>;

  beforeAll(async () => {
    controller = await boot();
    const org = newOrg();
    const owner = await controller.user(org);
    const id = async (path: string, body: object) => (await made<{ _id: string }>(owner, path, body))._id;
    const agent = await newAgent(owner);
    ids = {
      ':instruction': await id('/instructions', INSTRUCTION),
      ':tool': await id('/tools', { ...API_TOOL, name: newObjectId() }),
      ':node': await id('/nodes', NODE),
    };
    const { token } = (await owner.post(filled('/nodes/:node/token')).expect(200)).body as { token: string };
    callers = {
      owner,
      agent: controller.bearer((await connected(controller, agent._id)).token),
      node: controller.bearer(token),
    };
  }, 60_000);

  afterAll(() => controller.close(), 60_000);

  const filled = (text: string): string =>
    text.replace(/:(instruction|tool|node|unique)\b/g, (name) =>
      name === ':unique' ? newObjectId() : (ids[name] ?? ''),
    );

  const send = ({ method, path, as = 'owner' }: Route, body: string) => callers[as].raw(method, filled(path), body);

  const judge = (
    what: string,
    path: string,
    { status, body, text }: { status: number; body: unknown; text: string },
  ) => {
    const told = `${what}: ${status} ${text.slice(0, 300)}`;
    if (status >= 500) throw new Error(`a server error: ${told}`);
    if (status < 400) return;
    const shape = path.startsWith('/mcp')
      ? { error: expect.any(String) as string }
      : { statusCode: status, message: expect.any(String) as string };
    const common = { code: expect.any(String) as string, correlationId: expect.any(String) as string };
    try {
      expect(body).toMatchObject({ ...shape, ...common });
    } catch (error) {
      throw new Error(`another shape: ${told}`, { cause: error });
    }
  };

  it.each(ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s answers every spoilt field in its shape',
    async (name, route) => {
      expect([200, 201]).toContain((await send(route, filled(JSON.stringify(route.valid)))).status);
      for (const field of Object.keys(route.valid)) {
        for (const value of NASTY) {
          const spoilt = JSON.stringify({ ...route.valid, [field]: value === undefined ? undefined : ':nasty' });
          const body = filled(spoilt.replace('":nasty"', () => value ?? ''));
          judge(`${name} with ${field} = ${(value ?? 'left out').slice(0, 60)}`, route.path, await send(route, body));
        }
      }
    },
  );

  it.each(ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s answers every broken body in its shape',
    async (name, route) => {
      for (const body of BODIES) judge(`${name} with ${body.slice(0, 20)}`, route.path, await send(route, body));
    },
  );

  it.each(['/instructions', '/tools', '/nodes'])('%s answers odd queries in its shape', async (path) => {
    for (const query of QUERIES) judge(`${path}?${query}`, path, await callers.owner.get(`${path}?${query}`));
  });
});
