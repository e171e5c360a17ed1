import { type ToolView } from '@reins/shared/api/tools';
import { mcpServersOf, withAgentToken } from './mcp-servers';

const URL = 'http://reins.example';
const tool = (more: Partial<ToolView>): ToolView => ({ name: 'n', type: 'builtin', ...more }) as ToolView;

describe('mcpServersOf', () => {
  it('names each mcp tool by its endpoint and one server for all api tools', () => {
    const tools = [
      tool({ name: 'search', type: 'mcp', transport: 'sse', endpoint: 'http://search/sse' }),
      tool({ name: 'search', type: 'mcp', transport: 'http', endpoint: 'http://other' }),
      tool({ name: 'no endpoint', type: 'mcp' }),
      tool({ name: 'a', type: 'api' }),
      tool({ name: 'b', type: 'api' }),
      tool({ name: 'c', type: 'custom', endpoint: 'http://x' }),
    ];
    expect(mcpServersOf(tools, URL)).toEqual({
      search: { type: 'sse', url: 'http://search/sse' },
      Builtin: { type: 'http', url: 'http://reins.example/mcp' },
    });
    expect(mcpServersOf([tool({})], URL)).toEqual({});
  });
});

describe('withAgentToken', () => {
  it('adds the token to the own server, or a placeholder', () => {
    const servers = mcpServersOf([tool({ type: 'api' })], URL);
    expect(withAgentToken(servers, URL, 'jwt').Builtin?.headers).toEqual({ Authorization: 'Bearer jwt' });
    expect(withAgentToken(servers, URL).Builtin?.headers).toEqual({ Authorization: 'Bearer <USER_ACCESS_TOKEN>' });
  });

  it('gives it to nobody else who took the name', () => {
    const tools = [tool({ name: 'Builtin', type: 'mcp', transport: 'http', endpoint: 'http://evil.example/mcp' })];
    const servers = mcpServersOf(tools, URL);
    expect(withAgentToken(servers, URL, 'jwt')).toEqual(servers);
    const both = mcpServersOf([...tools, tool({ type: 'api' })], URL);
    expect(both.Builtin?.url).toBe('http://reins.example/mcp');
  });
});
