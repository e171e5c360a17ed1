import { type AgentConfiguration, configVersionOf } from './config-version';

const BASE: AgentConfiguration = {
  instruction: 'i',
  instructionDetail: { id: '', systemPrompt: 'i', guidelines: [] },
  tools: [],
  agent: { id: 'a', name: 'n', orgId: 'o' },
  settings: { a: 1, b: { c: 2, d: 3 } },
  skills: [],
  mcpServers: { m: { type: 'http', url: 'http://m', headers: { Authorization: 'Bearer 1' } } },
  session: {
    id: 's',
    workerId: 'w',
    cliType: 'javascript',
    modelConfig: null,
    repository: null,
    workerRepo: null,
    resume: null,
    limits: { turnTimeoutMs: 1, turnIdleMs: 1, cpuMs: 1, wallMs: 1, memoryBytes: 1 },
  },
  link: { url: 'u', namespace: '/harness', protocol: 1, heartbeatMs: 1, leaseMs: 1 },
};

describe('configVersionOf', () => {
  const version = configVersionOf(BASE);

  it.each<[string, Partial<AgentConfiguration>]>([
    ['the order of keys', { settings: { b: { d: 3, c: 2 }, a: 1 } }],
    ['a token in a header', { mcpServers: { m: { type: 'http', url: 'http://m', headers: { Authorization: '2' } } } }],
    ['conversations to resume', { session: { ...BASE.session!, resume: { lanes: { main: 'x' } } } }],
  ])('does not depend on %s', (_, change) => {
    expect(configVersionOf({ ...BASE, ...change })).toBe(version);
  });

  it.each<[string, Partial<AgentConfiguration>]>([
    ['a setting', { settings: { a: 1, b: { c: 2, d: 4 } } }],
    ['the instruction', { instruction: 'j' }],
    ['the name', { agent: { ...BASE.agent, name: 'm' } }],
    ['a server', { mcpServers: {} }],
    ['a limit of the session', { session: { ...BASE.session!, limits: { ...BASE.session!.limits, wallMs: 2 } } }],
    ['the order of tools', { tools: [{ name: 'a' }, { name: 'b' }] }],
  ])('changes with %s', (_, change) => {
    expect(configVersionOf({ ...BASE, ...change })).not.toBe(version);
  });
});
