import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type AgentView } from '@reins/shared/api/agents';
import { type ToolView } from '@reins/shared/api/tools';
import { boot, type Booted, type Caller, newOrg } from './callers';
import { connected, made, newAgent, TOOL } from './definition-world';

interface Seen {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}

interface RpcReply {
  jsonrpc: string;
  id: unknown;
  result?: {
    tools?: { name: string; description: string; inputSchema: object }[];
    content?: { type: string; text: string }[];
    isError?: boolean;
  } & Record<string, unknown>;
  error?: { code: number; message: string; data?: string[] };
}

jest.setTimeout(30_000);

describe('MCP', () => {
  let api: Server;
  let apiUrl: string;
  let seen: Seen[];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let controller: Booted;
  let org: string;
  let owner: Caller;

  beforeAll(async () => {
    api = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString()));
      request.on('end', () => {
        seen.push({ method: request.method, url: request.url, headers: request.headers, body });
        answer(request, response);
      });
    });
    await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
    apiUrl = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    controller = await boot({ TOOL_PRIVATE_ADDRESSES: 'allow' });
  }, 60_000);

  afterAll(async () => {
    api.closeAllConnections();
    api.close();
    await controller.close();
  }, 60_000);

  beforeEach(async () => {
    seen = [];
    answer = (_, response) => response.setHeader('Content-Type', 'application/json').end('{"ok":true}');
    org = newOrg();
    owner = await controller.user(org);
  });

  const tool = (name: string, execution: object = {}, more: object = {}): Promise<ToolView> =>
    made<ToolView>(owner, '/tools', {
      ...TOOL,
      name,
      type: 'api',
      execution: { method: 'GET', baseUrl: apiUrl, path: '/', ...execution },
      ...more,
    });
  const agentWith = async (...tools: ToolView[]): Promise<{ agent: AgentView; token: string; me: Caller }> => {
    const agent = await newAgent(owner, { allowedToolIds: tools.map(({ _id }) => _id) });
    const { token } = await connected(controller, agent._id);
    return { agent, token, me: controller.bearer(token) };
  };
  const rpc = async (me: Caller, method: string, params?: object): Promise<RpcReply> =>
    (await me.post('/mcp', { jsonrpc: '2.0', id: 1, method, ...(params && { params }) }).expect(200)).body as RpcReply;
  const call = async (me: Caller, name: string, given?: object): Promise<RpcReply> =>
    rpc(me, 'tools/call', { name, ...(given && { arguments: given }) });
  const textOf = ({ result }: RpcReply): [string | undefined, boolean | undefined] => [
    result?.content?.[0]?.text,
    result?.isError,
  ];
  const listed = async (me: Caller): Promise<string[]> =>
    ((await rpc(me, 'tools/list')).result?.tools ?? []).map(({ name }) => name);

  it('greets, answers pings and takes notifications without a word', async () => {
    const { me } = await agentWith();
    expect(await rpc(me, 'initialize', { protocolVersion: '2025-11-25', capabilities: {} })).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'reins', version: expect.any(String) as string },
      },
    });
    expect((await rpc(me, 'initialize', { protocolVersion: '1999-01-01' })).result?.protocolVersion).toBe('2025-11-25');
    expect((await rpc(me, 'initialize')).result?.protocolVersion).toBe('2025-11-25');
    expect(await rpc(me, 'ping')).toEqual({ jsonrpc: '2.0', id: 1, result: {} });
    const told = await me.post('/mcp', { jsonrpc: '2.0', method: 'notifications/initialized' }).expect(202);
    expect(told.text).toBe('');
    await me.get('/mcp').expect(405).expect('Allow', 'POST');
    await me.delete('/mcp').expect(405);
  });

  it('lists what this agent may use: allowed, active, of type api', async () => {
    const input = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
    const weather = await tool('weather', {}, { schema: { inputSchema: input, outputSchema: {} } });
    const off = await tool('off', {}, { status: 'inactive' });
    const builtin = await made<ToolView>(owner, '/tools', { ...TOOL, name: 'builtin' });
    await tool('not allowed');
    const { me } = await agentWith(weather, off, builtin);
    expect((await rpc(me, 'tools/list')).result?.tools).toEqual([
      { name: 'weather', description: TOOL.description, inputSchema: input },
    ]);
  });

  it('calls with path, query and body as the execution says', async () => {
    const get = await tool('get', { path: '/cities/{city}', headers: { 'X-Key': 'k' } });
    const post = await tool('post', { method: 'POST', path: '/cities/{city}' });
    const { me, token } = await agentWith(get, post);
    const given = { city: 'Bad Ems', days: 3 };
    expect(textOf(await call(me, 'get', given))).toEqual(['{"ok":true}', false]);
    expect(textOf(await call(me, 'post', given))).toEqual(['{"ok":true}', false]);
    expect(seen).toMatchObject([
      { method: 'GET', url: '/cities/Bad%20Ems?days=3', headers: { 'x-key': 'k' }, body: '' },
      { method: 'POST', url: '/cities/Bad%20Ems', body: '{"days":3}', headers: { 'content-type': 'application/json' } },
    ]);
    expect(JSON.stringify(seen)).not.toContain(token);
  });

  it('sends the agent’s token to the controller itself, and to nobody else that was not named', async () => {
    const elsewhere = await tool('elsewhere', { authRequired: true });
    const own = await tool('own', { baseUrl: controller.url, path: '/agents/{id}/config', authRequired: true });
    const loop = await tool('loop', { method: 'POST', baseUrl: controller.url, path: '/mcp', authRequired: true });
    const { agent, me } = await agentWith(elsewhere, own, loop);
    expect(textOf(await call(me, 'elsewhere'))).toEqual([expect.stringContaining('TOOL_TOKEN_ORIGINS'), true]);
    expect(textOf(await call(me, 'loop'))).toEqual([expect.stringContaining('TOOL_TOKEN_ORIGINS'), true]);
    expect(seen).toEqual([]);
    const [text, isError] = textOf(await call(me, 'own', { id: agent._id }));
    expect([JSON.parse(text ?? ''), isError]).toMatchObject([{ agent: { id: agent._id } }, false]);
    expect(seen).toEqual([]);
  });

  it('tells the agent of answers that are errors, too long, too late, elsewhere or missing', async () => {
    const { me } = await agentWith(await tool('patient'), await tool('hasty', { timeout: 300 }));
    const outcome = async (answering: typeof answer) => {
      answer = answering;
      return textOf(await call(me, 'patient'));
    };
    expect(await outcome((_, response) => response.writeHead(404).end('no such city'))).toEqual([
      'HTTP 404: no such city',
      true,
    ]);
    expect(await outcome((_, response) => response.writeHead(204).end())).toEqual(['HTTP 204 without content', false]);
    expect(await outcome((_, response) => response.writeHead(302, { Location: '/secret' }).end())).toEqual([
      'HTTP 302: redirects are not followed.',
      true,
    ]);
    expect(seen.map(({ url }) => url)).not.toContain('/secret');
    expect(await outcome((_, response) => response.end('x'.repeat(1024 * 1024 + 1)))).toEqual([
      'The answer is longer than 1048576 bytes.',
      true,
    ]);
    const whole = 'x'.repeat(1024 * 1024);
    expect((await outcome((_, response) => response.end(whole)))[0]).toHaveLength(whole.length);
    expect(await outcome((request) => request.socket.destroy())).toEqual(['The tool cannot be reached.', true]);
    answer = () => undefined;
    expect(textOf(await call(me, 'hasty'))).toEqual(['The tool did not answer within 300 ms.', true]);
    const bare = await made<ToolView>(owner, '/tools', { ...TOOL, name: 'bare', type: 'api' });
    const { me: other } = await agentWith(bare);
    expect(textOf(await call(other, 'bare'))).toEqual([expect.stringContaining('no execution'), true]);
  });

  it('answers what is wrong with a message by the codes of JSON-RPC', async () => {
    const schema = { inputSchema: { required: ['city'], properties: { city: { type: 'string' } } }, outputSchema: {} };
    const { me } = await agentWith(await tool('weather', { path: '/{city}' }, { schema }));
    const codeOf = async (body: object) => ((await me.post('/mcp', body).expect(200)).body as RpcReply).error?.code;
    expect(await codeOf([])).toBe(-32600);
    expect(await codeOf({ id: 1, method: 'ping' })).toBe(-32600);
    expect(await codeOf({ jsonrpc: '2.0', id: 1 })).toBe(-32600);
    expect((await rpc(me, 'resources/list')).error?.code).toBe(-32601);
    expect((await rpc(me, 'constructor')).error?.code).toBe(-32601);
    expect((await rpc(me, 'tools/call', {})).error?.code).toBe(-32602);
    expect((await call(me, 'unknown')).error).toEqual({ code: -32602, message: 'Unknown tool: unknown' });
    expect((await call(me, 'weather')).error).toMatchObject({ code: -32602, data: ['city is required'] });
    expect((await call(me, 'weather', { city: 1 })).error).toMatchObject({ code: -32602 });
    expect((await call(me, 'weather', { city: '..' })).error).toMatchObject({ code: -32602 });
    expect(seen).toEqual([]);
  });

  it('is for agents alone', async () => {
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
    await controller.anonymous.post('/mcp', ping).expect(401);
    await owner.post('/mcp', ping).expect(403);
    await owner.get('/mcp').expect(405);
  });

  it('S12 each agent sees and calls its own tools, as itself, under the same name too', async () => {
    const [a, b] = await Promise.all(
      [0, 1].map(async () => {
        const ours = newOrg();
        const us = await controller.user(ours);
        const execution = { method: 'GET', baseUrl: controller.url, path: '/agents/{id}/config', authRequired: true };
        const whoami = await made<ToolView>(us, '/tools', { ...TOOL, name: 'whoami', type: 'api', execution });
        const agent = await newAgent(us, { allowedToolIds: [whoami._id] });
        return { agent, me: controller.bearer((await connected(controller, agent._id)).token) };
      }),
    );
    if (a === undefined || b === undefined) throw new Error('no agents');
    const identity = async (one: typeof a, id: string) => textOf(await call(one.me, 'whoami', { id }));
    const rounds = Array.from({ length: 5 }, () => [a, b]).flat();
    const answers = await Promise.all(rounds.map((one) => identity(one, one.agent._id)));
    answers.forEach(([text, isError], index) => {
      expect([JSON.parse(text ?? ''), isError]).toMatchObject([{ agent: { id: rounds[index]?.agent._id } }, false]);
    });
    // Asking for the other one's: the API sees who calls.
    expect(await identity(a, b.agent._id)).toEqual([expect.stringMatching(/^HTTP 403/), true]);
  });

  it('S12 an agent of the same organisation does not see what another may use', async () => {
    const mine = await tool('mine');
    const { me: first } = await agentWith(mine);
    const { me: second } = await agentWith();
    expect(await listed(first)).toEqual(['mine']);
    expect(await listed(second)).toEqual([]);
    expect((await call(second, 'mine')).error).toMatchObject({ code: -32602 });
    expect(seen).toEqual([]);
  });

  it('S12 a change of the allowed tools, of a tool or of the agent counts for the next message', async () => {
    const one = await tool('one');
    const two = await tool('two');
    const { agent, me } = await agentWith(one);
    expect(await listed(me)).toEqual(['one']);
    await owner.put(`/agents/${agent._id}`, { allowedToolIds: [two._id, one._id] }).expect(200);
    expect(await listed(me)).toEqual(['two', 'one']);
    await owner.patch(`/tools/${two._id}`, { name: 'renamed' }).expect(200);
    expect(await listed(me)).toEqual(['renamed', 'one']);
    await owner.put(`/agents/${agent._id}`, { allowedToolIds: [one._id] }).expect(200);
    expect((await call(me, 'renamed')).error).toMatchObject({ code: -32602 });
    await owner.put(`/agents/${agent._id}`, { status: 'suspended' }).expect(200);
    await me.post('/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/list' }).expect(401);
  });

  it('offers names that models take, and hears its own ones too', async () => {
    const { me } = await agentWith(await tool('City weather!'));
    expect(await listed(me)).toEqual(['City_weather_']);
    expect(textOf(await call(me, 'City_weather_'))).toEqual(['{"ok":true}', false]);
    expect(textOf(await call(me, 'City weather!'))).toEqual(['{"ok":true}', false]);
  });

  it('by default reaches no private address, by number or by name, but those its operator named', async () => {
    const port = new URL(apiUrl).port;
    const strict = await boot({ TOOL_TOKEN_ORIGINS: apiUrl });
    try {
      const us = await strict.user(org);
      const make = (name: string, execution: object) =>
        made<ToolView>(us, '/tools', {
          ...TOOL,
          name,
          type: 'api',
          execution: { method: 'GET', path: '/', ...execution },
        });
      const tools = [
        await make('number', { baseUrl: apiUrl }),
        await make('name', { baseUrl: `http://localhost:${port}` }),
        await make('odd', { baseUrl: `http://0x7f.1:${port}` }),
        await make('named', { baseUrl: apiUrl, authRequired: true }),
      ];
      const agent = await newAgent(us, { allowedToolIds: tools.map(({ _id }) => _id) });
      const { token } = await connected(strict, agent._id);
      const me = strict.bearer(token);
      for (const name of ['number', 'name', 'odd']) {
        expect(textOf(await call(me, name))).toEqual([expect.stringContaining('TOOL_PRIVATE_ADDRESSES'), true]);
      }
      expect(seen).toEqual([]);
      expect(textOf(await call(me, 'named'))).toEqual(['{"ok":true}', false]);
      expect(seen[0]?.headers.authorization).toBe(`Bearer ${token}`);
    } finally {
      await strict.close();
    }
  }, 60_000);
});
