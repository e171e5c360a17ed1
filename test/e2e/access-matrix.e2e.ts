import { join } from 'node:path';
import { type AccessScope, type CreatedApiKey, type CreatedViewerToken } from '@reins/shared/api/access';
import { type AgentView, type RegenerateResponse } from '@reins/shared/api/agents';
import { type CreatedNodeToken } from '@reins/shared/api/nodes';
import { type ConnectResponse } from '@reins/shared/link/connect';
import { ApiClient, credentialsOf } from '../support/api-client';
import { ScriptedHarness } from '../support/scripted-harness';
import { boot, type Booted, newOrg } from './callers';
import { clientOf } from './session-viewers';

const HARNESS_COMMAND = JSON.stringify([process.execPath, join(__dirname, '../support/idle-harness.mjs')]);
const NOBODY = '65f0c0ffee65f0c0ffee65f0';

/** Every kind of caller there is; the columns of the table. */
const CALLERS = [
  'nobody',
  'viewer',
  'editor',
  'owner',
  'universe',
  'agent',
  'node',
  'viewerToken',
  'readsSessions',
  'definesOnly',
  'administersAccess',
  'editorKey',
] as const;
type CallerName = (typeof CALLERS)[number];

const KEYS: Partial<Record<CallerName, { roles: string[]; scopes?: AccessScope[] }>> = {
  readsSessions: { roles: ['organization.editor'], scopes: ['sessions:read'] },
  definesOnly: { roles: ['organization.editor'], scopes: ['definitions:*'] },
  administersAccess: { roles: ['organization.owner'], scopes: ['access:admin'] },
  editorKey: { roles: ['organization.editor'] },
};

let controller: Booted;
let org: string;
let owner: ApiClient;
let clients: Record<CallerName, ApiClient>;
/** What the paths of the table name. */
let known: Record<'session' | 'other' | 'agent' | 'managed' | 'node', string>;
let harness: ScriptedHarness;

jest.setTimeout(120_000);

beforeAll(async () => {
  controller = await boot({ HARNESS_COMMAND, LAUNCH_TIMEOUT_MS: '3600000' });
  org = newOrg();
  owner = await clientOf(controller, 'organization.owner', org);
  const worker = await owner.worker();
  const [session, other] = [await owner.session(worker), await owner.session(worker)];
  harness = await ScriptedHarness.connect(controller.url, await credentialsOf(controller.dataDir, session.id));
  await harness.start();
  const agent = await owner.must<AgentView>('POST', '/agents', {
    name: 'outside',
    description: 'd',
    status: 'active',
    type: 'autonomous',
  });
  const node = await owner.must<{ _id: string }>('POST', '/nodes', { name: 'n', role: ['worker'] });
  known = {
    session: session.id,
    other: other.id,
    agent: agent._id,
    managed: harness.credentials.agentId,
    node: node._id,
  };
  const nodeToken = await owner.must<CreatedNodeToken>('POST', `/nodes/${node._id}/token`);
  const viewerToken = await owner.must<CreatedViewerToken>('POST', `/sessions/${session.id}/viewer-tokens`);
  const made = Object.entries(KEYS).map(async ([name, body]) => {
    const { key } = await owner.must<CreatedApiKey>('POST', '/admin/api-keys', { name, ...body });
    return [name, bearer(key)] as const;
  });
  const byKey: Partial<Record<CallerName, ApiClient>> = Object.fromEntries(await Promise.all(made));
  clients = {
    nobody: new ApiClient(controller.url),
    viewer: await clientOf(controller, 'organization.viewer', org),
    editor: await clientOf(controller, 'organization.editor', org),
    owner,
    universe: await clientOf(controller, 'universe.owner', org),
    agent: bearer(harness.configuration.token),
    node: bearer(nodeToken.token),
    viewerToken: bearer(viewerToken.token),
    ...byKey,
  } as Record<CallerName, ApiClient>;
}, 120_000);

afterAll(async () => {
  harness?.close();
  await controller?.close();
}, 60_000);

const bearer = (token: string): ApiClient => new ApiClient(controller.url, { Authorization: `Bearer ${token}` });

/** Puts the ids of the scene where a path has their names. */
const filled = (path: string): string =>
  path.replace(/\{(\w+)\}/g, (whole, name: string) => (known as Record<string, string>)[name] ?? whole);

/**
 * Who gets which status. Bodies and ids are wrong on purpose, so that being let in shows as 400 or 404 and nothing is
 * changed by it. Columns as in CALLERS.
 */
const TABLE: [string, unknown, ...number[]][] = [
  //                                                       nobody vw   ed   own  uni  agt  nod  vt   kS   kD   kA   kE
  ['GET /health', undefined, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200],
  ['GET /sessions', undefined, 401, 200, 200, 200, 200, 403, 403, 403, 200, 403, 403, 200],
  [
    'POST /pool/claims',
    { incarnation: 'inc-00000000000000000000000000' },
    401,
    403,
    403,
    403,
    403,
    403,
    403,
    403,
    403,
    403,
    403,
    403,
  ],
  ['POST /sessions', {}, 401, 403, 400, 400, 400, 403, 403, 403, 403, 403, 403, 400],
  ['GET /sessions/{session}', undefined, 401, 200, 200, 200, 200, 403, 403, 200, 200, 403, 403, 200],
  ['GET /sessions/{other}', undefined, 401, 200, 200, 200, 200, 403, 403, 404, 200, 403, 403, 200],
  [
    'GET /sessions/{session}/events?follow=false',
    undefined,
    401,
    200,
    200,
    200,
    200,
    403,
    403,
    200,
    200,
    403,
    403,
    200,
  ],
  ['GET /sessions/{other}/events?follow=false', undefined, 401, 200, 200, 200, 200, 403, 403, 404, 200, 403, 403, 200],
  ['GET /sessions/{session}/telemetry', undefined, 401, 200, 200, 200, 200, 403, 403, 200, 200, 403, 403, 200],
  ['GET /sessions/{session}/operations', undefined, 401, 200, 200, 200, 200, 403, 403, 200, 200, 403, 403, 200],
  ['GET /operations/op-none', undefined, 401, 404, 404, 404, 404, 403, 403, 403, 404, 403, 403, 404],
  ['POST /sessions/{session}/prompt', {}, 401, 403, 400, 400, 400, 403, 403, 403, 403, 403, 403, 400],
  ['POST /sessions/{session}/stream', {}, 401, 403, 400, 400, 400, 403, 403, 403, 403, 403, 403, 400],
  ['POST /sessions/sess-none/suspend', {}, 401, 403, 404, 404, 404, 403, 403, 403, 403, 403, 403, 404],
  ['POST /sessions/{session}/abort', { scope: 1 }, 401, 403, 400, 400, 400, 403, 403, 403, 403, 403, 403, 400],
  ['DELETE /sessions/sess-none', undefined, 401, 403, 404, 404, 404, 403, 403, 403, 403, 403, 403, 404],
  ['PUT /sessions/{session}/blobs?sha256=x', 'x', 401, 403, 403, 400, 400, 400, 403, 403, 403, 403, 403, 403],
  [
    'POST /sessions/{session}/viewer-tokens',
    { expiresInSeconds: 0 },
    401,
    403,
    400,
    400,
    400,
    403,
    403,
    403,
    403,
    403,
    403,
    400,
  ],
  ['GET /sessions/{session}/viewer-tokens', undefined, 401, 200, 200, 200, 200, 403, 403, 403, 200, 403, 403, 200],
  [
    'DELETE /sessions/{session}/viewer-tokens/vt-none',
    undefined,
    401,
    403,
    404,
    404,
    404,
    403,
    403,
    403,
    403,
    403,
    403,
    404,
  ],
  ['GET /admin/workers', undefined, 401, 200, 200, 200, 200, 403, 403, 403, 403, 200, 403, 200],
  ['GET /admin/workers/wk-none/sessions', undefined, 401, 200, 200, 200, 200, 403, 403, 403, 200, 403, 403, 200],
  ['POST /admin/workers', {}, 401, 403, 400, 400, 400, 403, 403, 403, 403, 400, 403, 400],
  ['DELETE /admin/workers/wk-none', undefined, 401, 403, 404, 404, 404, 403, 403, 403, 403, 404, 403, 404],
  ['PUT /admin/system-instructions', {}, 401, 403, 400, 400, 400, 403, 403, 403, 403, 400, 403, 400],
  ['GET /instructions', undefined, 401, 200, 200, 200, 200, 403, 403, 403, 403, 200, 403, 200],
  ['POST /tools', {}, 401, 403, 400, 400, 400, 403, 403, 403, 403, 400, 403, 400],
  ['GET /agents', undefined, 401, 200, 200, 200, 200, 403, 403, 403, 403, 403, 403, 200],
  ['POST /agents', {}, 401, 403, 400, 400, 400, 403, 403, 403, 403, 403, 403, 400],
  [`DELETE /agents/${NOBODY}`, undefined, 401, 403, 404, 404, 404, 403, 403, 403, 403, 403, 403, 404],
  ['GET /agents/{managed}/config', undefined, 401, 200, 200, 200, 200, 200, 403, 403, 403, 403, 403, 200],
  ['GET /agents/{agent}/config', undefined, 401, 200, 200, 200, 200, 403, 403, 403, 403, 403, 403, 200],
  [
    'POST /agents/{managed}/heartbeat',
    { status: 'online' },
    401,
    403,
    403,
    403,
    403,
    200,
    403,
    403,
    403,
    403,
    403,
    403,
  ],
  ['POST /agents/{agent}/heartbeat', { status: 'online' }, 401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403],
  ['POST /agents/{agent}/disconnect', {}, 401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403],
  ['POST /nodes/{node}/heartbeat', {}, 401, 403, 403, 403, 403, 403, 200, 403, 403, 403, 403, 403],
  ['GET /nodes/{node}', undefined, 401, 200, 200, 200, 200, 403, 200, 403, 403, 403, 403, 200],
  ['POST /nodes/{node}/token', { expiresIn: 1 }, 401, 403, 400, 400, 400, 403, 403, 403, 403, 403, 403, 400],
  ['GET /admin/enrollment-tokens', undefined, 401, 403, 403, 200, 200, 403, 403, 403, 403, 403, 403, 403],
  ['GET /admin/api-keys', undefined, 401, 403, 403, 200, 200, 403, 403, 403, 403, 403, 200, 403],
  ['POST /admin/api-keys', {}, 401, 403, 403, 400, 400, 403, 403, 403, 403, 403, 400, 403],
  ['GET /admin/audit', undefined, 401, 403, 403, 200, 200, 403, 403, 403, 403, 403, 200, 403],
  ['POST /admin/token-revocations', {}, 401, 403, 403, 400, 400, 403, 403, 403, 403, 403, 400, 403],
];

describe('L32 token scope matrix', () => {
  it.each(TABLE)('%s', async (route, body, ...expected) => {
    const [method = '', path = ''] = route.split(' ');
    expect(expected).toHaveLength(CALLERS.length);
    const got = await Promise.all(
      CALLERS.map(async (name) => [name, (await clients[name].call(method, filled(path), body)).status]),
    );
    expect(Object.fromEntries(got)).toEqual(Object.fromEntries(CALLERS.map((name, index) => [name, expected[index]])));
  });

  /** All that needs no credentials, by design. */
  const PUBLIC = new Set([
    ...['GET /', 'GET /health', 'GET /ready', 'GET /status', 'GET /metrics'],
    ...['POST /agents/{id}/connect', 'POST /agents/enroll'],
    ...['GET /downloads/harness.tar.gz', 'GET /downloads/harness.tar.gz.sha256'],
  ]);
  const FOR_VIEWERS = new Set([
    ...['', '/events', '/telemetry', '/stats', '/operations'].map((path) => `GET /sessions/{id}${path}`),
    ...['GET /sessions/{id}/turns/{turnId}', 'GET /sessions/{id}/blobs/{blobId}'],
  ]);

  async function routes(): Promise<string[]> {
    const { paths } = await owner.must<{ paths: Record<string, object> }>('GET', '/api-docs/openapi.json');
    return Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
  }
  const call = async (client: ApiClient, route: string): Promise<number> => {
    const [method = '', path = ''] = route.split(' ');
    const ids = path.replace('{id}', NOBODY).replace(/\{\w+\}/g, 'x');
    return (await client.call(method, ids, method === 'GET' || method === 'DELETE' ? undefined : {})).status;
  };

  it('closes every route of the API to those without credentials, but the public ones', async () => {
    const all = await routes();
    expect(all.length).toBeGreaterThan(60);
    const open: string[] = [];
    for (const route of all) if ((await call(clients.nobody, route)) !== 401) open.push(route);
    expect(open.filter((route) => !PUBLIC.has(route))).toEqual([]);
  });

  it("closes every route to viewers, but a session's own reads", async () => {
    for (const route of await routes()) {
      if (PUBLIC.has(route)) continue;
      const expected = FOR_VIEWERS.has(route) ? 404 : 403;
      expect({ route, status: await call(clients.viewerToken, route) }).toEqual({ route, status: expected });
    }
  });

  it('gives an API key without roles in the area nothing there, and names the missing scope', async () => {
    const { status, body } = await clients.readsSessions.call('POST', '/sessions', { workerId: 'x' });
    expect({ status, body }).toMatchObject({
      status: 403,
      body: { error: 'The API key lacks the scope sessions:write.', details: { missingScope: 'sessions:write' } },
    });
    // What the role lacks is the role's fault, whatever the scopes say.
    const wide = await owner.must<CreatedApiKey>('POST', '/admin/api-keys', {
      name: 'wide',
      roles: ['organization.viewer'],
      scopes: ['*'],
    });
    const refused = await bearer(wide.key).call('POST', '/sessions', { workerId: 'x' });
    expect(refused).toMatchObject({ status: 403, body: { error: 'You do not have permission to create or update.' } });
  });
});

describe('S1 credentials are regenerated by', () => {
  const regenerate = (client: ApiClient, agentId: string) =>
    client.call<RegenerateResponse>('POST', `/agents/${agentId}/credentials/regenerate`, {});

  it('owners and editors of the organisation', async () => {
    for (const name of ['owner', 'editor', 'universe', 'editorKey'] as const) {
      expect((await regenerate(clients[name], known.agent)).status).toBe(200);
    }
  });

  it('nobody else: no viewer, no other organisation, no agent, not even its own, no key without the scope', async () => {
    const { secret } = (await regenerate(owner, known.agent)).body;
    const connect = () => clients.nobody.call<ConnectResponse>('POST', `/agents/${known.agent}/connect`, { secret });
    const { token } = (await connect()).body;
    for (const name of ['viewer', 'agent', 'node', 'viewerToken', 'readsSessions', 'administersAccess'] as const) {
      expect({ name, status: (await regenerate(clients[name], known.agent)).status }).toEqual({ name, status: 403 });
    }
    expect((await regenerate(bearer(token), known.agent)).status).toBe(403);
    expect((await regenerate(clients.nobody, known.agent)).status).toBe(401);
    for (const role of ['organization.owner', 'universe.owner']) {
      expect((await regenerate(await clientOf(controller, role, newOrg()), known.agent)).status).toBe(404);
    }
    // Nothing has changed by all this.
    expect((await connect()).status).toBe(200);
  });
});
