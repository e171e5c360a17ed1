import { parseConfiguration, parseConnectAnswer } from './connect-answer';
import { SESSION } from './testing/scripted-peer';

const parse = (answer: unknown) => parseConnectAnswer(Buffer.from(JSON.stringify(answer)));
const tool = { _id: 't1', name: 'read-file', type: 'builtin', schema: { inputSchema: {}, outputSchema: {} } };

describe('parseConnectAnswer', () => {
  it("takes the guide's answer, instruction as text, no life of the token", () => {
    const { token, expiresInSeconds, configuration } = parse({
      token: 'jwt',
      instruction: 'You are kind.\n\n## Guidelines\n1. Be polite\n',
      tools: [tool],
      agent: { id: 'a', name: 'My Agent', orgId: 'o' },
      settings: { claudeModel: 'claude-3-5-haiku-latest' },
    });
    expect({ token, expiresInSeconds }).toEqual({ token: 'jwt', expiresInSeconds: 86_400 });
    expect(configuration).toEqual({
      instruction: 'You are kind.\n\n## Guidelines\n1. Be polite\n',
      instructionDetail: { id: '', systemPrompt: '', guidelines: [] },
      tools: [tool],
      agent: { id: 'a', name: 'My Agent', orgId: 'o' },
      settings: { claudeModel: 'claude-3-5-haiku-latest' },
      skills: [],
      mcpServers: {},
      session: null,
      configVersion: '',
    });
  });

  it('takes the answer with accessToken, a life and an endpoint it does not know', () => {
    const { token, expiresInSeconds } = parse({
      accessToken: 'jwt',
      expiresIn: 3600,
      refreshToken: null,
      instruction: 'x',
      mcpEndpoint: 'https://aiwm.example/mcp',
    });
    expect({ token, expiresInSeconds }).toEqual({ token: 'jwt', expiresInSeconds: 3600 });
  });

  it.each([[0], [-1], ['3600'], [null], [undefined]])('takes %j as no life of the token', (expiresIn) => {
    expect(parse({ token: 't', expiresIn }).expiresInSeconds).toBe(86_400);
  });

  it('takes the latest answer, instruction in parts, no tools, MCP servers with headers', () => {
    const { configuration } = parse({
      accessToken: 'jwt',
      instruction: { id: 'i', systemPrompt: 'Be kind.', guidelines: ['a', 'b'] },
      settings: {},
      mcpServers: { Builtin: { type: 'http', url: 'https://x/mcp', headers: { Authorization: 'Bearer jwt' } } },
    });
    expect(configuration).toMatchObject({
      instruction: 'Be kind.\n\n## Guidelines\n1. a\n2. b\n',
      instructionDetail: { id: 'i', systemPrompt: 'Be kind.', guidelines: ['a', 'b'] },
      tools: [],
      mcpServers: { Builtin: { url: 'https://x/mcp', headers: { Authorization: 'Bearer jwt' } } },
    });
    expect(configuration.link).toBeUndefined();
  });

  it('merges parts without guidelines to the prompt alone, and nothing to nothing', () => {
    expect(parse({ token: 't', instruction: { systemPrompt: 'Be kind.' } }).configuration.instruction).toBe('Be kind.');
    expect(parse({ token: 't' }).configuration.instruction).toBe('');
  });

  it('lets settings, tools and agent be null', () => {
    const { configuration } = parse({ token: 't', settings: null, tools: null, agent: null });
    expect(configuration).toMatchObject({ settings: {}, tools: [], agent: { id: '', name: '', orgId: '' } });
  });

  it("keeps everything of Reins' own answer", () => {
    const link = { url: 'http://x', namespace: '/harness', protocol: 1, heartbeatMs: 1, leaseMs: 2 };
    const { configuration } = parse({ token: 't', session: SESSION, link, configVersion: 'v7', instruction: 'i' });
    expect(configuration).toMatchObject({ session: { id: SESSION.id }, link, configVersion: 'v7' });
  });

  it.each([
    ['<html>', "the controller's answer is not JSON"],
    ['[]', "the controller's answer is not an object"],
    ['{}', "the controller's answer has no token"],
    ['{"token":"","accessToken":7}', "the controller's answer has no token"],
    ['{"token":"t","link":{"url":"http://x"}}', "the controller's answer is not understood: link.namespace:"],
    ['{"token":"t","session":{"id":7}}', "the controller's answer is not understood: session.id:"],
  ])('refuses %s', (body, message) => {
    expect(() => parseConnectAnswer(Buffer.from(body))).toThrow(message);
  });

  it('repeats no value of an answer it refuses', () => {
    const attempt = (): unknown => parse({ token: 't', session: 'the-value-of-a-secret' });
    expect(attempt).toThrow('session');
    expect(attempt).not.toThrow('the-value-of-a-secret');
  });

  it('takes a configuration without a token', () => {
    expect(parseConfiguration(Buffer.from('{"accessToken":"","instruction":"x"}')).instruction).toBe('x');
  });
});
