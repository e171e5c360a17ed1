import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JwtService } from '@nestjs/jwt';
import { type AgentView } from '@reins/shared/api/agents';
import { type CreatedEnrollmentToken, type EnrollmentTokenDetail } from '@reins/shared/api/enrollment';
import { ApiClient, eventually } from '../support/api-client';
import { type BuiltController, startBuiltController } from '../support/processes';

const HARNESS = join(__dirname, '../../dist/apps/harness/main.js');
const JWT_SECRET = 'a secret of these tests that is long enough';
const OVERLAP_SECONDS = 4;
const ENV = {
  AUTH_MODE: 'jwt',
  JWT_SECRET,
  HEARTBEAT_MS: '500',
  CREDENTIAL_OVERLAP_SECONDS: `${OVERLAP_SECONDS}`,
  CONNECT_FAILURES_PER_AGENT: '1000',
};
const NAME = `it's "one" $(touch pwned) \`id\``;

interface Running {
  child: ChildProcess;
  exited: Promise<number | null>;
  stderr: () => string;
}

interface Stored {
  agentId: string;
  secret: string;
}

let controller: BuiltController;
let admin: ApiClient;
let folder: string;
const harnesses: Running[] = [];

jest.setTimeout(180_000);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reins-enrollment-'));
  controller = await startBuiltController({ env: ENV });
  admin = await administrator();
});

afterEach(async () => {
  for (const { child } of harnesses) child.kill('SIGKILL');
  await Promise.all(harnesses.splice(0).map(({ exited }) => exited));
  await controller.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function administrator(): Promise<ApiClient> {
  const claims = { sub: 'admin', roles: ['organization.owner'], orgId: 'org-1' };
  const token = await new JwtService({ secret: JWT_SECRET }).signAsync(claims, { expiresIn: 3600 });
  return new ApiClient(controller.url, { Authorization: `Bearer ${token}` });
}

const mint = (more: object = {}): Promise<CreatedEnrollmentToken> =>
  admin.must('POST', '/admin/enrollment-tokens', { name: 'cluster', ...more });
const detail = (id: string): Promise<EnrollmentTokenDetail> => admin.must('GET', `/admin/enrollment-tokens/${id}`);
const agentsOf = (id: string): Promise<AgentView[]> => admin.must('GET', `/admin/enrollment-tokens/${id}/agents`);
const agent = (id: string): Promise<AgentView> => admin.must('GET', `/agents/${id}`);
const connect = async ({ agentId, secret }: Stored): Promise<number> =>
  (await new ApiClient(controller.url).call('POST', `/agents/${agentId}/connect`, { secret })).status;

const file = (): string => join(folder, '.reins/credentials.json');
const stored = (): Stored => JSON.parse(readFileSync(file(), 'utf8')) as Stored;

function start(env: Record<string, string>): Running {
  const child = spawn(process.execPath, [HARNESS], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      AIWM_BASE_URL: controller.url,
      REINS_HEALTH_PORT: 'off',
      REINS_DRAIN_SECONDS: '2',
      LOG_LEVEL: 'debug',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const running = { child, exited, stderr: () => stderr };
  harnesses.push(running);
  return running;
}

async function untilConnected(harness: Running, times = 1): Promise<void> {
  await eventually(() => {
    const seen = harness.stderr().split('connected to the controller').length - 1;
    if (seen < times) throw new Error(`not connected; the harness printed:\n${harness.stderr()}`);
    return Promise.resolve();
  }, 30_000);
}

async function terminate({ child, exited }: Running, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  child.kill(signal);
  return exited;
}

const lastLine = ({ stderr }: Running): string => stderr().trim().split('\n').at(-1) ?? '';

describe('a harness with an enrollment token', () => {
  it('S6 S14 registers once, is that agent after every restart, rotates when asked, and ends with its group', async () => {
    const { id, token } = await mint({ labels: { zone: 'east' } });
    const env = { REINS_ENROLLMENT_TOKEN: token, AGENT_NAME: NAME, AGENT_LABELS: 'zone=mine,gpu=none' };
    const first = start(env);
    await untilConnected(first);
    const before = stored();
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(await agentsOf(id)).toMatchObject([
      { _id: before.agentId, name: NAME, type: 'autonomous', connected: true, labels: { zone: 'east', gpu: 'none' } },
    ]);
    expect(await terminate(first)).toBe(0);

    // The token is used up and may even be gone: the file is enough.
    for (const again of [env, {}]) {
      const harness = start(again);
      await untilConnected(harness);
      expect(await terminate(harness, 'SIGKILL')).toBeNull();
    }
    expect(await detail(id)).toMatchObject({ uses: 1, agents: { total: 1 } });

    const harness = start(env);
    await untilConnected(harness);
    const { rotationRequestedAt } = await admin.must<{ rotationRequestedAt: string }>(
      'POST',
      `/agents/${before.agentId}/credentials/rotate`,
    );
    const after = await eventually(() => {
      const now = stored();
      expect(now.secret).not.toBe(before.secret);
      return Promise.resolve(now);
    });
    const rotatedBy = Date.now();
    expect(rotationRequestedAt).toBeTruthy();
    expect(after.agentId).toBe(before.agentId);
    expect(await agent(after.agentId)).toMatchObject({ rotationRequestedAt: null, connected: true });
    expect(harness.stderr().split('connected to the controller').length - 1).toBe(1);
    await sleep(rotatedBy + OVERLAP_SECONDS * 1000 - Date.now() + 100);
    expect(await connect(before)).toBe(401);
    expect(await connect(after)).toBe(200);
    expect(await terminate(harness, 'SIGKILL')).toBeNull();
    const last = start(env);
    await untilConnected(last);

    await admin.must('DELETE', `/admin/enrollment-tokens/${id}?agents=delete`);
    expect(await last.exited).toBe(1);
    expect(lastLine(last)).toMatch(/^reins-harness: .*delete .*credentials\.json and start it with a valid REINS_ENR/);

    // Deleted on purpose: another token in its hands does not make it register anew.
    const other = await mint();
    const orphan = start({ ...env, REINS_ENROLLMENT_TOKEN: other.token });
    expect(await orphan.exited).toBe(1);
    expect(lastLine(orphan)).toContain('does not do so again unasked');
    expect(await detail(other.id)).toMatchObject({ uses: 0 });
    expect(stored()).toEqual(after);

    for (const { stderr } of harnesses) {
      for (const secret of [token, other.token, before.secret, after.secret]) expect(stderr()).not.toContain(secret);
    }
  });

  it('that is refused ends with 1 and one plain sentence, and leaves no credentials', async () => {
    const { id, token } = await mint();
    await admin.must('DELETE', `/admin/enrollment-tokens/${id}`);
    const harness = start({ REINS_ENROLLMENT_TOKEN: token });
    expect(await harness.exited).toBe(1);
    expect(lastLine(harness)).toMatch(
      /^reins-harness: the enrollment token is refused: .* set REINS_ENROLLMENT_TOKEN$/,
    );
    expect(statSync(file(), { throwIfNoEntry: false })).toBeUndefined();
  });

  it('waits for a controller that is away, and leaves with 0 when it is told to', async () => {
    const { id, token } = await mint();
    const { dataDir, url } = controller;
    await controller.terminate();
    const impatient = start({ REINS_ENROLLMENT_TOKEN: token });
    await eventually(() => Promise.resolve(expect(impatient.stderr()).toContain('could not register; trying again')));
    expect(await terminate(impatient)).toBe(0);
    const harness = start({ REINS_ENROLLMENT_TOKEN: token });
    await eventually(() => Promise.resolve(expect(harness.stderr()).toContain('could not register; trying again')));
    controller = await startBuiltController({ dataDir, env: { ...ENV, PORT: new URL(url).port } });
    await untilConnected(harness);
    expect(await detail(id)).toMatchObject({ uses: 1, agents: { total: 1 } });
  });

  it('whose secret was regenerated stops with 1 and says how to go on', async () => {
    const { token } = await mint();
    const harness = start({ REINS_ENROLLMENT_TOKEN: token });
    await untilConnected(harness);
    await admin.must('POST', `/agents/${stored().agentId}/credentials/regenerate`);
    expect(await harness.exited).toBe(1);
    expect(lastLine(harness)).toContain('delete ');
    const again = start({ REINS_ENROLLMENT_TOKEN: token });
    expect(await again.exited).toBe(1);
    expect(lastLine(again)).toMatch(/Invalid credentials.*delete .*credentials\.json/);
  });

  it('that is given credentials in its .env cannot rotate them, says so, and the request stays visible', async () => {
    const created = await admin.must<AgentView>('POST', '/agents', {
      name: 'by hand',
      description: '',
      status: 'active',
      type: 'autonomous',
      secret: 'a secret of this agent only',
    });
    const harness = start({ AIWM_AGENT_ID: created._id, AIWM_AGENT_SECRET: 'a secret of this agent only' });
    await untilConnected(harness);
    await admin.must('POST', `/agents/${created._id}/credentials/rotate`);
    await eventually(() => Promise.resolve(expect(harness.stderr()).toContain('they come from the environment')));
    expect((await agent(created._id)).rotationRequestedAt).not.toBeNull();
    expect(await terminate(harness)).toBe(0);
  });
});
