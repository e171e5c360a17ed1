import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHANNEL, DiscordStandIn, TOKEN } from '../support/discord-standin';
import { GROUP, TELEGRAM_TOKEN, TelegramStandIn } from '../support/telegram-standin';
import { type ModelServer, startModelServer } from '../../scripts/model-server';
import { AGENT_CLI_INSTALL_MS, ensureAgentCli } from '../support/agent-clis';
import { ApiClient, eventually } from '../support/api-client';
import { type BuiltController, startBuiltController } from '../support/processes';

const HARNESS = join(__dirname, '../../dist/apps/harness/main.js');
const WAIT_MS = 60_000;

interface Running {
  child: ChildProcess;
  exited: Promise<number | null>;
}

interface BridgeState {
  name: string;
  state: string;
  reason?: string;
}

let model: ModelServer;
let controller: BuiltController;
let api: ApiClient;
let discord: DiscordStandIn;
let telegram: TelegramStandIn;
let claude: string;
let folder: string;
let stderr = '';
let harness: Running | undefined;

jest.setTimeout(300_000);

beforeAll(async () => {
  claude = await ensureAgentCli('claude-code');
  model = await startModelServer();
  controller = await startBuiltController();
  api = new ApiClient(controller.url);
}, AGENT_CLI_INSTALL_MS + 60_000);

afterAll(async () => {
  await controller?.stop();
  await model?.close();
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reins-bridges-'));
  stderr = '';
  [discord, telegram] = await Promise.all([DiscordStandIn.start(), TelegramStandIn.start()]);
});

afterEach(async () => {
  harness?.child.kill('SIGKILL');
  await harness?.exited;
  harness = undefined;
  await Promise.all([discord.stop(), telegram.stop()]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function agentWith(settings: object): Promise<{ id: string; secret: string }> {
  const { _id: instructionId } = await api.must<{ _id: string }>('POST', '/instructions', {
    name: `helper ${Math.random()}`,
    systemPrompt: 'You answer in one sentence.',
  });
  const { _id: id } = await api.must<{ _id: string }>('POST', '/agents', {
    name: 'helper',
    description: 'answers in chats',
    status: 'active',
    type: 'autonomous',
    instructionId,
    settings,
  });
  return { id, ...(await api.must<{ secret: string }>('POST', `/agents/${id}/credentials/regenerate`)) };
}

function start({ id, secret }: { id: string; secret: string }): Running {
  const child = spawn(process.execPath, [HARNESS], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      AIWM_BASE_URL: controller.url,
      AIWM_AGENT_ID: id,
      AIWM_AGENT_SECRET: secret,
      REINS_HEALTH_PORT: '0',
      LOG_LEVEL: 'debug',
      DISCORD_API_URL: discord.url,
      TELEGRAM_API_ROOT: telegram.url,
      CLAUDE_PATH: claude,
      CLAUDE_MODEL: 'claude-sonnet-4-5',
      ANTHROPIC_BASE_URL: model.url,
      ANTHROPIC_API_KEY: 'local-model-server',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return (harness = { child, exited: new Promise((resolve) => child.once('close', resolve)) });
}

/** What the harness itself says at its /health. */
async function health(): Promise<{ status: string; bridges: BridgeState[] }> {
  const { url } = JSON.parse(readFileSync(join(folder, '.reins/health.json'), 'utf8')) as { url: string };
  return (await (await fetch(`${url}/health`)).json()) as { status: string; bridges: BridgeState[] };
}

const becomes = (...wanted: [name: string, state: string][]): Promise<void> =>
  eventually(async () => {
    const { bridges } = await health();
    expect(bridges.map(({ name, state }) => [name, state])).toEqual(wanted);
  }, WAIT_MS);

const answers = (of: () => readonly string[], count: number): Promise<void> =>
  eventually(async () => expect(of()).toHaveLength(count), WAIT_MS);

it('the built harness answers on Discord and Telegram with the real Claude Code, each conversation its own, over a restart, and follows edited settings', async () => {
  const settings = {
    discord_token: TOKEN,
    discord_channelIds: [CHANNEL],
    telegram: { token: TELEGRAM_TOKEN, groupIds: [GROUP] },
  };
  const agent = await agentWith(settings);
  const first = start(agent);
  await becomes(['discord', 'running'], ['telegram', 'running']);

  discord.say('The code word is heron. [[tool:echo made > made.txt]] [[text:Noted, I keep it.]]');
  telegram.say('The code word is otter. [[text:Noted here too.]]');
  await Promise.all([answers(() => discord.contents, 1), answers(() => telegram.texts, 1)]);
  expect([discord.contents, telegram.texts]).toEqual([['Noted, I keep it.'], ['Noted here too.']]);
  expect(discord.typed).toContain(CHANNEL);
  const workspace = join(folder, 'workspace/bridges', `discord-${CHANNEL}`);
  expect(readFileSync(join(workspace, 'made.txt'), 'utf8')).toBe('made\n');
  expect(readFileSync(join(workspace, 'CLAUDE.md'), 'utf8')).toContain('You answer in one sentence.');

  first.child.kill('SIGTERM');
  expect(await first.exited).toBe(0);
  expect([discord.connections, telegram.isPolled, telegram.pending]).toEqual([0, false, 0]);

  start(agent);
  await becomes(['discord', 'running'], ['telegram', 'running']);
  discord.say('[[recall]]');
  telegram.say('[[recall]]');
  await Promise.all([answers(() => discord.contents, 2), answers(() => telegram.texts, 2)]);
  expect(discord.contents[1]).toContain('heron');
  expect(discord.contents[1]).not.toContain('otter');
  expect(telegram.texts[1]).toContain('otter');

  const identifies = discord.identifies;
  await api.must('PUT', `/agents/${agent.id}`, { settings: { ...settings, telegram: null } });
  await becomes(['discord', 'running'], ['telegram', 'off']);
  expect(telegram.isPolled).toBe(false);
  discord.say('[[text:Still here.]]');
  await answers(() => discord.contents, 3);
  expect(discord.contents[2]).toBe('Still here.');
  expect(discord.identifies).toBe(identifies);

  expect(stderr).not.toContain(TOKEN);
  expect(stderr).not.toContain(TELEGRAM_TOKEN);
});

it('a wrong token, a lost gateway and a library that throws leave the agent and the other bridge at work', async () => {
  telegram.token = 'another';
  const agent = await agentWith({
    cliType: 'javascript',
    discord: { token: TOKEN, channelIds: [CHANNEL] },
    telegram: { token: TELEGRAM_TOKEN, groupIds: [GROUP] },
  });
  const { child } = start(agent);
  await becomes(['discord', 'running'], ['telegram', 'failed']);
  expect((await health()).bridges[1]?.reason).toContain('refuses the token');

  discord.say('let kept = 40; kept + 1');
  await answers(() => discord.contents, 1);
  discord.drop();
  discord.say('kept + 2');
  await answers(() => discord.contents, 2);
  expect(discord.contents).toEqual(['41', '42']);

  discord.sendRaw(JSON.stringify({ op: 0, t: 'MESSAGE_CREATE', s: 10_000, d: null }));
  await eventually(async () => expect(stderr).toContain('in a way it does not handle'), WAIT_MS);
  await becomes(['discord', 'running'], ['telegram', 'failed']);
  discord.say('kept + 3');
  // An answer whose receipt went down with the thread may be said twice, so it is not counted here.
  await eventually(async () => expect(discord.contents).toContain('43'), WAIT_MS);

  expect(child.exitCode).toBeNull();
  expect((await health()).status).toBe('ok');
  expect(await api.must('GET', `/agents/${agent.id}`)).toMatchObject({ connected: true });
});
