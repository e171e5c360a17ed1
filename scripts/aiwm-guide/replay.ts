import { type Answer, type Callers } from './callers';
import { type Checks } from './checks';

const INSTRUCTION = {
  name: 'Test Agent Instruction',
  description: 'What the agent of this replay is told',
  systemPrompt: 'You are a helpful AI assistant for testing purposes.',
  guidelines: ['Be polite', 'Be accurate', 'Say when you do not know'],
  status: 'active',
  tags: ['test', 'demo'],
};
const INSTRUCTION_TEXT =
  'You are a helpful AI assistant for testing purposes.\n\n## Guidelines\n' +
  '1. Be polite\n2. Be accurate\n3. Say when you do not know\n';

const tool = (name: string, input: string, output: string) => ({
  name,
  type: 'builtin',
  description: `The tool ${name}`,
  category: 'productivity',
  status: 'active',
  scope: 'public',
  schema: {
    inputSchema: { type: 'object', properties: { [input]: { type: 'string' } } },
    outputSchema: { type: 'object', properties: { [output]: { type: 'string' } } },
  },
});

const SETTINGS = {
  auth_roles: ['agent', 'document.reader'],
  claude_model: 'claude-3-5-haiku-latest',
  claude_maxTurns: 100,
  claude_permissionMode: 'bypassPermissions',
  claude_resume: true,
  discord_token: 'test-discord-token',
  discord_channelIds: ['123456789'],
  telegram_token: 'test-telegram-token',
  telegram_groupIds: ['-1001234567890'],
};

const ENV_LINES = [
  '# ===== AIWM Integration =====',
  'AIWM_ENABLED=true',
  'CLAUDE_MODEL=claude-3-5-haiku-latest',
  'CLAUDE_MAX_TURNS=100',
  'CLAUDE_PERMISSION_MODE=bypassPermissions',
  'CLAUDE_RESUME=true',
  'DISCORD_TOKEN=test-discord-token',
  'DISCORD_CHANNEL_ID=123456789',
  'TELEGRAM_BOT_TOKEN=test-telegram-token',
  'TELEGRAM_GROUP_ID=-1001234567890',
];

/** The whole guide, in its order. What it makes it deletes again. */
export async function replay(callers: Callers, checks: Checks): Promise<void> {
  checks.step('Admin: instruction, tools, node, agent');
  const instruction = created(checks, 'instruction', await callers.call('admin', 'POST', '/instructions', INSTRUCTION));
  const tools: string[] = [];
  for (const body of [tool('test-tool-read', 'path', 'content'), tool('test-tool-write', 'path', 'success')]) {
    tools.push(created(checks, `tool ${body.name}`, await callers.call('admin', 'POST', '/tools', body)));
  }
  const node = created(
    checks,
    'node, with fields nobody knows',
    await callers.call('admin', 'POST', '/nodes', {
      name: 'test-node-01',
      role: ['worker'],
      local: false,
      specs: { cpu: 8, memory: 32, disk: 500, gpu: [] },
      location: { region: 'eu', datacenter: 'a' },
    }),
  );
  const agent = created(
    checks,
    'autonomous agent',
    await callers.call('admin', 'POST', '/agents', {
      name: 'Test Connection Agent',
      description: 'Connects in this replay',
      status: 'active',
      type: 'autonomous',
      instructionId: instruction,
      nodeId: node,
      secret: 'test-secret-123456',
      allowedToolIds: tools,
      settings: SETTINGS,
      tags: ['test'],
    }),
  );

  checks.step('Admin: credentials');
  const regenerated = await callers.call('admin', 'POST', `/agents/${agent}/credentials/regenerate`);
  const secret = textOf(regenerated, 'secret');
  checks.equal('regenerate answers 200', regenerated.status, 200);
  checks.that('the secret has 64 hexadecimal digits', /^[0-9a-f]{64}$/.test(secret));
  const env = textOf(regenerated, 'envConfig').split('\n');
  for (const line of [...ENV_LINES, `AIWM_AGENT_ID=${agent}`, `AIWM_AGENT_SECRET=${secret}`]) {
    checks.that(`the .env has ${line.replace(secret, '…')}`, env.includes(line));
  }
  checks.that('there is an install script', textOf(regenerated, 'installScript').startsWith('#!/usr/bin/env bash\n'));
  const refused = await callers.call('viewer', 'POST', `/agents/${agent}/credentials/regenerate`);
  checks.equal('a viewer may not regenerate', refused.status, 403);

  checks.step('Agent: connect and heartbeat');
  const connect = (value: string): Promise<Answer> =>
    callers.call('nobody', 'POST', `/agents/${agent}/connect`, { secret: value });
  const connected = await connect(secret);
  const token = textOf(connected, 'token');
  checks.equal('connect answers 200', connected.status, 200);
  checks.that('the token has both names', token !== '' && token === connected.body['accessToken']);
  checks.equal('it is valid for 24 hours', connected.body['expiresIn'], 86_400);
  checks.equal('its type is bearer', connected.body['tokenType'], 'bearer');
  checks.equal('the instruction is exact', connected.body['instruction'], INSTRUCTION_TEXT);
  checks.equal(
    'the tools are the two, in order',
    (connected.body['tools'] as { name: string }[]).map(({ name }) => name),
    ['test-tool-read', 'test-tool-write'],
  );
  checks.equal('the settings are in clear', connected.body['settings'], SETTINGS);
  const claims = claimsOf(token);
  checks.equal('the token names the agent', [claims['sub'], claims['type']], [agent, 'agent']);
  checks.equal('and its user name', claims['username'], `agent:${agent}`);

  const metrics = { cpu: 45, memory: 60, activeConnections: 3 };
  const beat = (): Promise<Answer> =>
    callers.callWith(token, 'POST', `/agents/${agent}/heartbeat`, { status: 'online', metrics });
  const beaten = await beat();
  checks.equal('heartbeat answers 200', beaten.status, 200);
  checks.equal('and success', beaten.body['success'], true);

  const seen = await callers.call('viewer', 'GET', `/agents/${agent}?populate=instruction`);
  checks.equal('the agent shows its connection', seen.body['connectionCount'], 1);
  checks.that('and its heartbeat', typeof seen.body['lastHeartbeatAt'] === 'string');
  const populated = seen.body['instructionId'] as { name?: string } | undefined;
  checks.equal('its instruction is populated', populated?.name, INSTRUCTION.name);
  checks.that('its tokens are masked', !JSON.stringify(seen.body).includes('test-discord-token'));

  checks.step('Refusals');
  checks.equal('a wrong secret is 401', (await connect('wrong-secret')).status, 401);
  checks.equal('the secret of before is 401', (await connect('test-secret-123456')).status, 401);
  for (const path of ['/agents', '/instructions', '/tools', '/nodes']) {
    const list = await callers.call('stranger', 'GET', path);
    checks.equal(`another organisation sees nothing at ${path}`, [list.status, list.body['data']], [200, []]);
  }
  checks.equal('nor the agent', (await callers.call('stranger', 'GET', `/agents/${agent}`)).status, 404);
  checks.equal(
    'nor may it regenerate',
    (await callers.call('stranger', 'POST', `/agents/${agent}/credentials/regenerate`)).status,
    404,
  );
  checks.equal(
    'an instruction in use cannot be deleted',
    (await callers.call('admin', 'DELETE', `/instructions/${instruction}`)).status,
    409,
  );
  await callers.call('admin', 'PUT', `/agents/${agent}`, { status: 'suspended' });
  checks.equal('a suspended agent is 401', (await connect(secret)).status, 401);
  checks.equal('and so is its heartbeat', (await beat()).status, 401);
  checks.equal('the agent is deleted', (await callers.call('admin', 'DELETE', `/agents/${agent}`)).status, 200);
  checks.equal('a deleted agent is 404', (await connect(secret)).status, 404);
  checks.equal('and so is its heartbeat', (await beat()).status, 404);

  checks.step('Clean-up');
  for (const path of [`/instructions/${instruction}`, ...tools.map((id) => `/tools/${id}`), `/nodes/${node}`]) {
    checks.equal(
      `DELETE ${path.replace(/[0-9a-f]{24}/, ':id')}`,
      (await callers.call('admin', 'DELETE', path)).status,
      200,
    );
  }
}

function created(checks: Checks, what: string, { status, body }: Answer): string {
  const id = body['_id'];
  checks.that(`created the ${what}`, status === 201 && typeof id === 'string', { status, body });
  if (typeof id !== 'string') throw new Error(`Without the ${what} the replay cannot go on.`);
  return id;
}

function textOf({ body }: Answer, field: string): string {
  const value = body[field];
  return typeof value === 'string' ? value : '';
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}
