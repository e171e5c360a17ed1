import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getConnectionToken } from '@nestjs/mongoose';
import { newId } from '@reins/shared/ids';
import { type Connection } from 'mongoose';
import { ConfigurationWatch } from '../../apps/controller/src/agents/configuration-watch';
import { startController } from '../../apps/controller/src/bootstrap';
import { Config, loadConfig as loadControllerConfig } from '../../apps/controller/src/config/config';
import { loadConfig } from '../../apps/harness/src/config/load-config';
import { type Driver, type DriverContext } from '../../apps/harness/src/drivers/driver.port';
import { Harness } from '../../apps/harness/src/harness';
import { createLogger, Secrets } from '../../apps/harness/src/log/logger';
import { type ApiClient, credentialsOf, eventually } from '../support/api-client';
import { type Credentials, ScriptedHarness } from '../support/scripted-harness';
import { boot, type Booted, newOrg } from './callers';
import { clientOf } from './session-viewers';

jest.setTimeout(60_000);

const HARNESS_COMMAND = JSON.stringify([process.execPath, join(__dirname, '../support/idle-harness.mjs')]);
const PROMPT = 'You are a helpful assistant for tests.';

interface AgentRow {
  _id: string;
  configVersion: string;
}

/** What an agent went by in one turn. */
interface Played {
  instruction: string;
  file: string;
  settings: Record<string, unknown>;
  tools: string[];
  servers: string[];
  model?: string;
}

let controller: Booted;
let org: string;
let owner: ApiClient;
let universe: ApiClient;
let tools = 0;
const ends: (() => Promise<unknown> | void)[] = [];

beforeAll(async () => {
  // So rare a heartbeat that only the push can be in time.
  controller = await boot({ HARNESS_COMMAND, HEARTBEAT_MS: '20000', LAUNCH_TIMEOUT_MS: '3600000' });
}, 60_000);

beforeEach(async () => {
  org = newOrg();
  owner = await clientOf(controller, 'organization.owner', org);
  universe = await clientOf(controller, 'universe.owner', org);
});

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

afterAll(() => controller.close(), 60_000);

/** A real harness in this process; its agents say what they were given. */
async function startHarness({ agentId, secret }: Credentials): Promise<Harness> {
  const folder = mkdtempSync(join(tmpdir(), 'reins-hot-'));
  const secrets = new Secrets();
  const env = {
    AIWM_BASE_URL: controller.url,
    AIWM_AGENT_ID: agentId,
    AIWM_AGENT_SECRET: secret,
    REINS_DRAIN_SECONDS: '2',
    PATH: process.env.PATH ?? '',
  };
  const harness = new Harness({
    config: loadConfig([], env, folder),
    version: '0.0.0',
    incarnation: newId('incarnation'),
    supportedTypes: ['claude-code'],
    loadDriver: async () => (context) => echoing(context),
    log: createLogger({ level: 'error', secrets, write: () => undefined }),
    secrets,
  });
  const exit = harness.run();
  ends.push(async () => {
    await Promise.all([harness.stop('test over'), exit]);
    rmSync(folder, { recursive: true, force: true });
  });
  await eventually(async () => {
    if (!harness.status.connected) throw new Error('the harness is not connected');
  });
  return harness;
}

function echoing(context: DriverContext): Driver {
  const { instruction, settings, allowedTools, mcpServers, session } = context;
  const file = join(context.workspace, 'CLAUDE.md');
  const played: Played = {
    instruction,
    file: existsSync(file) ? readFileSync(file, 'utf8') : '',
    settings: { ...settings },
    tools: [...allowedTools],
    servers: Object.keys(mcpServers),
    ...(session.modelConfig?.model !== undefined && { model: session.modelConfig.model }),
  };
  return {
    capabilities: { deltas: false, resume: true, usage: false, permissions: false },
    conversationId: 'conversation',
    pid: undefined,
    start: async () => undefined,
    prompt: async ({ prompt }, sink) => {
      if (prompt === 'slow') await new Promise((resolve) => setTimeout(resolve, 1500));
      await sink.emit('text', { text: JSON.stringify(played) });
      return { status: 'complete', stopReason: 'end_turn', usage: undefined };
    },
    kill: async () => undefined,
    stop: async () => undefined,
  };
}

/** Makes an edit and waits until the harness has what it looks for; says how long that took. */
async function edit(what: string, change: () => Promise<unknown>, arrived: () => boolean): Promise<void> {
  const startedAt = performance.now();
  await change();
  const answeredAt = performance.now();
  await eventually(
    async () => {
      if (!arrived()) throw new Error(`${what} did not arrive`);
    },
    10_000,
    1,
  );
  const [edited, pushed] = [answeredAt - startedAt, performance.now() - answeredAt].map(Math.round);
  process.stdout.write(
    `hot configuration: ${what}: edit answered in ${edited} ms, harness has it ${pushed} ms later\n`,
  );
}

const agentRow = (_id: string) =>
  controller.app.get<Connection>(getConnectionToken()).collection<AgentRow>('agents').findOne({ _id });
const editRow = (collection: string, _id: string, $set: object) =>
  controller.app
    .get<Connection>(getConnectionToken())
    .collection<{ _id: string }>(collection)
    .updateOne({ _id }, { $set });

async function autonomous(): Promise<{ credentials: Credentials; instructionId: string; toolId: string }> {
  const { _id: instructionId } = await owner.must<{ _id: string }>('POST', '/instructions', {
    name: 'i',
    systemPrompt: PROMPT,
  });
  const { _id: toolId } = await universe.must<{ _id: string }>('POST', '/tools', {
    name: `tool-${++tools}`,
    type: 'builtin',
    description: 'd',
    category: 'data',
    schema: { inputSchema: {}, outputSchema: {} },
  });
  const secret = 'a secret of the hot tests';
  const { _id: agentId } = await owner.must<{ _id: string }>('POST', '/agents', {
    name: 'n',
    description: 'd',
    status: 'active',
    type: 'autonomous',
    secret,
    instructionId,
    allowedToolIds: [toolId],
  });
  return { credentials: { agentId, secret }, instructionId, toolId };
}

describe('hot configuration', () => {
  it('O3 an edit of instruction, tool or settings is with the connected harness at once', async () => {
    const { credentials, instructionId, toolId } = await autonomous();
    const { agent } = await startHarness(credentials);
    const now = () => agent.configuration();
    expect(now()).toMatchObject({ instruction: PROMPT, allowedTools: [`tool-${tools}`] });
    await edit(
      'instruction',
      () => owner.must('PUT', `/instructions/${instructionId}`, { guidelines: ['Be brief.'] }),
      () => now().instruction === `${PROMPT}\n\n## Guidelines\n1. Be brief.\n`,
    );
    await edit(
      'tool',
      () => universe.must('PATCH', `/tools/${toolId}`, { name: 'second' }),
      () => now().allowedTools[0] === 'second',
    );
    await edit(
      'settings',
      () => owner.must('PUT', `/agents/${credentials.agentId}`, { settings: { claude_model: 'opus' } }),
      () => now().settings.claude_model === 'opus',
    );
    await edit(
      'another instruction',
      () => owner.must('PATCH', `/agents/${credentials.agentId}`, { instructionId: null }),
      () => now().instruction === 'No instruction configured for this agent.',
    );
    const stored = await agentRow(credentials.agentId);
    expect(stored).toMatchObject({ configVersion: expect.stringMatching(/^[0-9a-f]{32}$/) as string });
  });

  it('O3 an edit of the worker or of the system instructions reaches the next turn; a running one keeps its own', async () => {
    const workerId = await owner.worker('claude-code', { agentMd: 'Old text.' });
    const { id } = await owner.session(workerId);
    const credentials = await credentialsOf(controller.dataDir, id);
    const { agent } = await startHarness(credentials);
    await owner.until(id, 'active');
    const play = async (prompt = 'p') => JSON.parse((await owner.prompt(id, prompt)).response) as Played;
    expect(await play()).toMatchObject({ instruction: 'Old text.', file: 'Old text.' });

    const slow = play('slow');
    await eventually(async () => {
      const turns = await owner.telemetry(id);
      if (!turns.some(({ status }) => status === 'running')) throw new Error('not running');
    });
    const model = { model: 'three' };
    await edit(
      'worker agentMd',
      () => owner.must('PUT', `/admin/workers/${workerId}`, { agentMd: 'New text.', modelConfig: model }),
      () => agent.configuration().instruction === 'New text.',
    );
    expect(await slow).toMatchObject({ instruction: 'Old text.', file: 'Old text.' });
    expect(await play()).toMatchObject({ instruction: 'New text.', file: 'New text.', model: 'three' });

    await edit(
      'system instructions',
      () => owner.must('PUT', '/admin/system-instructions', { content: 'For all.' }),
      () => agent.configuration().instruction === 'For all.\n\nNew text.',
    );
    await edit(
      'settings of a managed agent',
      () => owner.must('PUT', `/agents/${credentials.agentId}`, { settings: { claude_model: 'opus' } }),
      () => agent.configuration().settings.claude_model === 'opus',
    );
    await edit(
      'MCP server of the worker',
      () => owner.must('PUT', `/admin/workers/${workerId}`, { mcpServers: [{ name: 'm', url: 'http://127.0.0.1:9' }] }),
      () => 'm' in agent.configuration().mcpServers,
    );
    expect(await play()).toMatchObject({
      instruction: 'For all.\n\nNew text.',
      file: 'For all.\n\nNew text.',
      settings: { claude_model: 'opus' },
      servers: ['m'],
    });
  });

  it('an edit reaches the agents of its organisation and no other', async () => {
    const [a, b] = [await autonomous(), await autonomous()];
    const before = await agentRow(b.credentials.agentId);
    await owner.must('PUT', `/instructions/${a.instructionId}`, { systemPrompt: 'Another text for agent a.' });
    await eventually(async () => {
      const now = await agentRow(a.credentials.agentId);
      expect(now?.configVersion).not.toBe(before?.configVersion);
    });
    expect((await agentRow(b.credentials.agentId))?.configVersion).toBe(before?.configVersion);
  });

  it('of many edits at once the last one is what the version says', async () => {
    const { credentials, instructionId } = await autonomous();
    const { agent } = await startHarness(credentials);
    await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        owner.must('PUT', `/instructions/${instructionId}`, { systemPrompt: `Text number ${index} of many.` }),
      ),
    );
    const config = `/agents/${credentials.agentId}/config`;
    await eventually(async () => {
      const { instruction, configVersion } = await owner.must<Record<string, string>>('GET', config);
      expect((await agentRow(credentials.agentId))?.configVersion).toBe(configVersion);
      expect(agent.configuration().instruction).toBe(instruction);
    });
  });

  it('an edit whose controller died before it told anyone is found by the sweep, and named by a beat', async () => {
    const { credentials, instructionId } = await autonomous();
    const harness = await ScriptedHarness.connect(controller.url, credentials);
    ends.push(() => harness.close());
    await harness.hello();
    const watch = controller.app.get(ConfigurationWatch);
    await watch.sweep();
    const before = harness.configuration.configVersion;
    await editRow('instructions', instructionId, {
      systemPrompt: 'Written and never announced.',
      updatedAt: new Date(),
    });
    expect((await agentRow(credentials.agentId))?.configVersion).toBe(before);
    await watch.sweep();
    const stored = (await agentRow(credentials.agentId))?.configVersion;
    expect(stored).not.toBe(before);
    await eventually(async () => {
      expect(harness.received).toContainEqual({ event: 'wake', body: { configVersion: stored } });
    });
    // Whoever missed the bell hears it with its next beat.
    const beat = { status: 'idle' as const, alive: true as const, metrics: {}, turns: [], lastCommand: {} };
    expect(await harness.call('heartbeat', { ...beat, configVersion: before })).toMatchObject({
      configVersion: stored,
    });
  });

  it('a controller that boots finds what was edited while none was there, the agents themselves too', async () => {
    // Both go by the same address, or the other address alone would make every configuration a new one.
    const env = { HARNESS_COMMAND, PUBLIC_URL: 'http://127.0.0.1:1', SHUTDOWN_GRACE_MS: '1000' };
    const first = await boot(env);
    ends.push(() => first.close());
    const database = first.app.get<Connection>(getConnectionToken());
    const row = (_id: string) => database.collection<AgentRow>('agents').findOne({ _id });
    const user = await clientOf(first, 'organization.owner', org);
    const made = async (path: string, body: object) => (await user.must<{ _id: string }>('POST', path, body))._id;
    const instructionId = await made('/instructions', { name: 'i', systemPrompt: PROMPT });
    const agent = { name: 'n', description: 'd', status: 'active', type: 'autonomous' };
    const agents = [await made('/agents', { ...agent, instructionId }), await made('/agents', agent)];
    const before = await Promise.all(agents.map(row));
    const untouched = await made('/agents', agent);
    const sameVersion = (await row(untouched))?.configVersion;
    await first.app.get(ConfigurationWatch).sweep();
    const edited = { systemPrompt: 'Edited while no controller was there.', updatedAt: new Date() };
    await database.collection<AgentRow>('instructions').updateOne({ _id: instructionId }, { $set: edited });
    const change = { settings: { claude_model: 'opus' }, updatedAt: new Date() };
    await database.collection<AgentRow>('agents').updateOne({ _id: agents[1] ?? '' }, { $set: change });

    const dataDir = mkdtempSync(join(tmpdir(), 'reins-second-'));
    const { MONGODB_URI } = first.app.get(Config).env;
    const base = { PORT: '0', LOG_LEVEL: 'silent', NODE_ENV: 'test', REINS_DATA_DIR: dataDir, MONGODB_URI };
    const config = loadControllerConfig({ ...base, ...env }, () => 'a secret long enough for these tests');
    const second = await startController(config);
    ends.push(async () => {
      await second.stop();
      rmSync(dataDir, { recursive: true, force: true });
    });
    await eventually(async () => {
      const after = await Promise.all(agents.map(row));
      after.forEach((now, index) => expect(now?.configVersion).not.toBe(before[index]?.configVersion));
    });
    expect((await row(untouched))?.configVersion).toBe(sameVersion);
  });
});
