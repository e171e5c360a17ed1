import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { JwtService } from '@nestjs/jwt';
import { type AgentView, type RegenerateResponse } from '@reins/shared/api/agents';
import { newObjectId } from '@reins/shared/ids';
import { type ConnectResponse } from '@reins/shared/link/connect';
import { ApiClient, eventually } from '../support/api-client';
import { type BuiltController, startBuiltController } from '../support/processes';
import { curl, type CurlAnswer, type CurlCommand, curlJson } from '../support/guide-curl';

const HARNESS = join(__dirname, '../../dist/apps/harness/main.js');
const JWT_SECRET = 'a secret of these tests that is long enough';
const JSON_BODY = 'Content-Type: application/json';

/** The guide's manual tests and the heartbeat of its second chapter, with its samples where ids and secrets go. */
const GUIDE = {
  connect: {
    method: 'POST',
    path: '/agents/{AGENT_ID}/connect',
    headers: [JSON_BODY],
    body: '{"secret": "your-secret"}',
  },
  heartbeat: {
    method: 'POST',
    path: '/agents/{AGENT_ID}/heartbeat',
    headers: ['Authorization: Bearer {JWT_TOKEN}', JSON_BODY],
    body: '{"status": "online"}',
  },
  heartbeatWithMetrics: {
    method: 'POST',
    path: '/agents/{AGENT_ID}/heartbeat',
    headers: ['Authorization: Bearer {JWT_TOKEN}', JSON_BODY],
    body: `{
  "status": "online",
  "metrics": {
    "cpu": 45,
    "memory": 60,
    "uptime": 3600,
    "activeConnections": 3
  }
}`,
  },
  wrongSecret: {
    method: 'POST',
    path: '/agents/{AGENT_ID}/connect',
    headers: [JSON_BODY],
    body: '{"secret": "wrong-secret"}',
  },
} satisfies Record<string, CurlCommand>;

/** The settings of the guide's connect answer. */
const SETTINGS = {
  claudeModel: 'claude-3-5-haiku-latest',
  maxTurns: 100,
  permissionMode: 'bypassPermissions',
  resume: true,
  claudeOAuthToken: 'oauth-token-here',
  discord: { token: 'discord-token', channelIds: ['123456789', '987654321'], botId: 'bot-id' },
  telegram: { token: 'telegram-token', groupIds: ['-1001234567890'], botUsername: 'my_bot' },
};

let controller: BuiltController;
let admin: ApiClient;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reins-seed-'));
  controller = await startBuiltController({ env: { AUTH_MODE: 'jwt', JWT_SECRET, HEARTBEAT_MS: '500' } });
  const claims = { sub: 'admin', roles: ['organization.owner'], orgId: 'org-1' };
  const token = await new JwtService({ secret: JWT_SECRET }).signAsync(claims, { expiresIn: 3600 });
  admin = new ApiClient(controller.url, { Authorization: `Bearer ${token}` });
}, 90_000);

afterAll(async () => {
  await controller?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

jest.setTimeout(60_000);

async function newAgent(): Promise<AgentView> {
  const agent = { name: 'Customer Support Agent', description: 'd', status: 'active', type: 'autonomous' };
  return admin.must<AgentView>('POST', '/agents', { ...agent, settings: SETTINGS });
}

const regenerate = (id: string): Promise<RegenerateResponse> =>
  admin.must<RegenerateResponse>('POST', `/agents/${id}/credentials/regenerate`);
const get = (id: string): Promise<AgentView> => admin.must<AgentView>('GET', `/agents/${id}`);

const samples = (id: string, { secret = '', token = '' } = {}): Record<string, string> => ({
  '{AGENT_ID}': id,
  'your-secret': secret,
  '{JWT_TOKEN}': token,
});
const connect = (id: string, secret: string): Promise<ConnectResponse> =>
  curlJson<ConnectResponse>(200, controller.url, GUIDE.connect, samples(id, { secret }));
const beat = (id: string, token: string): Promise<CurlAnswer> =>
  curl(controller.url, GUIDE.heartbeat, samples(id, { token }));
const tryConnect = (id: string, secret: string): Promise<CurlAnswer> =>
  curl(controller.url, GUIDE.connect, samples(id, { secret }));

/** An agent with credentials that has connected. */
async function connectedAgent(): Promise<{ id: string; secret: string; token: string }> {
  const { _id: id } = await newAgent();
  const { secret } = await regenerate(id);
  const { token } = await connect(id, secret);
  return { id, secret, token };
}

function expectRefusal({ status, text }: CurlAnswer, expected: number): void {
  expect({ status, body: JSON.parse(text) as unknown }).toMatchObject({
    status: expected,
    body: { statusCode: expected, message: expect.any(String) as string, correlationId: expect.any(String) as string },
  });
}

describe("AIWM's agent client integration guide", () => {
  it('regenerate gives a secret, the .env of the guide and a script that bash can read', async () => {
    const { _id: id } = await newAgent();
    const { agentId, secret, envConfig, installScript } = await regenerate(id);
    expect(agentId).toBe(id);
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(envConfig.split('\n').slice(0, 2)).toEqual(['# ===== AIWM Integration =====', 'AIWM_ENABLED=true']);
    expect(parseEnv(envConfig)).toMatchObject({
      AIWM_ENABLED: 'true',
      AIWM_BASE_URL: controller.url,
      AIWM_AGENT_ID: id,
      AIWM_AGENT_SECRET: secret,
      AGENT_NAME: 'Customer Support Agent',
      CLAUDE_MODEL: 'claude-3-5-haiku-latest',
      CLAUDE_MAX_TURNS: '100',
      CLAUDE_PERMISSION_MODE: 'bypassPermissions',
      CLAUDE_RESUME: 'true',
      CLAUDE_CODE_OAUTH_TOKEN: 'oauth-token-here',
      DISCORD_TOKEN: 'discord-token',
      DISCORD_CHANNEL_ID: '123456789,987654321',
      TELEGRAM_BOT_TOKEN: 'telegram-token',
      TELEGRAM_GROUP_ID: '-1001234567890',
    });
    const order = envConfig.split('\n').flatMap((line) => /^([A-Z_]+)=/.exec(line)?.[1] ?? []);
    expect(order).toEqual([
      'AIWM_ENABLED',
      'AIWM_BASE_URL',
      'AIWM_AGENT_ID',
      'AIWM_AGENT_SECRET',
      'AGENT_NAME',
      'CLAUDE_MODEL',
      'CLAUDE_MAX_TURNS',
      'CLAUDE_PERMISSION_MODE',
      'CLAUDE_RESUME',
      'CLAUDE_CODE_OAUTH_TOKEN',
      'DISCORD_TOKEN',
      'DISCORD_CHANNEL_ID',
      'DISCORD_BOT_ID',
      'TELEGRAM_BOT_TOKEN',
      'TELEGRAM_GROUP_ID',
      'TELEGRAM_BOT_USERNAME',
    ]);
    expect(installScript).toMatch(/^#!.*bash\n/);
    expect(installScript).toContain(secret);
    execFileSync('bash', ['-n'], { input: installScript });
    // The secret is not stored: nothing shows it again.
    expect(JSON.stringify(await get(id))).not.toContain(secret);
  });

  it('manual test 1: connect answers token, instruction, tools, agent and settings in clear', async () => {
    const { _id: id } = await newAgent();
    const { secret } = await regenerate(id);
    const answer = await connect(id, secret);
    expect(answer).toMatchObject({
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) as string,
      instruction: expect.any(String) as string,
      tools: expect.any(Array) as unknown[],
      agent: { id, name: 'Customer Support Agent', orgId: 'org-1' },
      settings: SETTINGS,
    });
    const { exp, iat } = JSON.parse(Buffer.from(answer.token.split('.')[1] ?? '', 'base64url').toString()) as {
      exp: number;
      iat: number;
    };
    expect(exp - iat).toBe(24 * 3600);
    expect(await get(id)).toMatchObject({ connectionCount: 1, lastConnectedAt: expect.any(String) as string });
    expect(JSON.stringify((await get(id)).settings)).not.toContain('discord-token');
  });

  it('manual test 2: heartbeat answers success and is noted', async () => {
    const { id, token } = await connectedAgent();
    for (const command of [GUIDE.heartbeat, GUIDE.heartbeatWithMetrics]) {
      expect(await curlJson(200, controller.url, command, samples(id, { token }))).toMatchObject({ success: true });
    }
    expect(await get(id)).toMatchObject({
      lastHeartbeatAt: expect.any(String) as string,
      heartbeat: { status: 'online', metrics: { cpu: 45, memory: 60, uptime: 3600, activeConnections: 3 } },
    });
  });

  it('manual test 3: a wrong secret is 401, a missing one 400', async () => {
    const { id } = await connectedAgent();
    expectRefusal(await curl(controller.url, GUIDE.wrongSecret, samples(id)), 401);
    expectRefusal(await curl(controller.url, { ...GUIDE.connect, body: '{}' }, samples(id)), 400);
  });

  it('regenerate ends the old secret and the old token', async () => {
    const { id, secret, token } = await connectedAgent();
    const next = await regenerate(id);
    expectRefusal(await tryConnect(id, secret), 401);
    expectRefusal(await beat(id, token), 401);
    expect((await beat(id, (await connect(id, next.secret)).token)).status).toBe(200);
  });

  it('a suspended agent is 401, and its token too', async () => {
    const { id, secret, token } = await connectedAgent();
    await admin.must('PUT', `/agents/${id}`, { status: 'suspended' });
    expectRefusal(await tryConnect(id, secret), 401);
    expectRefusal(await beat(id, token), 401);
  });

  it('an unknown agent is 404, a deleted one too', async () => {
    expectRefusal(await tryConnect(newObjectId(), 'a-secret-of-nobody'), 404);
    const { id, secret, token } = await connectedAgent();
    await admin.must('DELETE', `/agents/${id}`);
    expectRefusal(await tryConnect(id, secret), 404);
    expectRefusal(await beat(id, token), 404);
  });

  it("a heartbeat needs this agent's token", async () => {
    const [one, two] = [await connectedAgent(), await connectedAgent()];
    const without = { ...GUIDE.heartbeat, headers: [JSON_BODY] };
    expectRefusal(await curl(controller.url, without, samples(one.id)), 401);
    expectRefusal(await beat(one.id, 'nonsense'), 401);
    expectRefusal(await beat(one.id, two.token), 403);
    expect((await get(one.id)).lastHeartbeatAt).toBeNull();
  });
});

describe('the harness with the .env that regenerate gave out', () => {
  it('connects, beats, is shown as connected, and leaves on SIGTERM with 0', async () => {
    if (!existsSync(HARNESS)) throw new Error(`${HARNESS} is missing; run: npm run build`);
    const { _id: id } = await newAgent();
    const { envConfig } = await regenerate(id);
    const file = join(folder, 'agent.env');
    writeFileSync(file, envConfig, { mode: 0o600 });
    expect(await get(id)).toMatchObject({ connected: false, lastHeartbeatAt: null });

    const child = spawn(process.execPath, [HARNESS, '--env-file', file], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
    const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
    try {
      await eventually(
        async () =>
          expect(await get(id)).toMatchObject({ connected: true, lastHeartbeatAt: expect.any(String) as string }),
        30_000,
      );
      const first = (await get(id)).lastHeartbeatAt ?? '';
      await eventually(async () =>
        expect(Date.parse((await get(id)).lastHeartbeatAt ?? '')).toBeGreaterThan(Date.parse(first)),
      );
      child.kill('SIGTERM');
      expect({ exit: await exited, output }).toMatchObject({ exit: 0 });
      await eventually(async () => expect((await get(id)).connected).toBe(false));
      for (const secret of [parseEnv(envConfig)['AIWM_AGENT_SECRET'], 'discord-token', 'oauth-token-here']) {
        expect(output).not.toContain(secret);
      }
    } finally {
      child.kill('SIGKILL');
    }
  });
});
