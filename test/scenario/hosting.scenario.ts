import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentView, type RegenerateResponse } from '@reins/shared/api/agents';
import { type SessionView } from '@reins/shared/api/sessions';
import { type ModelServer, startModelServer } from '../../scripts/model-server';
import { AGENT_CLI_INSTALL_MS, ensureAgentCli } from '../support/agent-clis';
import { ApiClient, eventually } from '../support/api-client';
import { type BuiltController, startBuiltController } from '../support/processes';

const HARNESS = join(__dirname, '../../dist/apps/harness/main.js');
const PATIENT = { settings: { limits: { wallMs: 120_000, cpuMs: 60_000 } } };

/** A harness that somebody started beside a `.env` from the controller, as on any machine. */
class SelfStarted {
  readonly folder = mkdtempSync(join(tmpdir(), 'reins-self-'));
  agentId = '';
  private child: ChildProcess | undefined;
  private printed = '';

  constructor(
    private readonly name: string,
    private readonly more: string,
  ) {}

  async configure(): Promise<void> {
    const body = { name: this.name, description: 'self-started', status: 'active', type: 'autonomous' };
    const { _id } = await api.must<AgentView>('POST', '/agents', body);
    this.agentId = _id;
    const path = `/agents/${_id}/credentials/regenerate`;
    const { envConfig } = await api.must<RegenerateResponse>('POST', path);
    writeFileSync(join(this.folder, '.env'), `${envConfig}\n${this.more}\n`, { mode: 0o600 });
  }

  async start(): Promise<void> {
    const env = { PATH: process.env.PATH ?? '', HOME: this.folder, TMPDIR: tmpdir(), IS_SANDBOX: '1' };
    const child = spawn(process.execPath, [HARNESS], { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => (this.printed += data.toString()));
    await eventually(async () => {
      const { connected } = await api.must<AgentView>('GET', `/agents/${this.agentId}`);
      if (!connected) throw new Error(`${this.name} is not connected; it printed:\n${this.printed}`);
    }, 60_000);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    await gone;
    return child.exitCode;
  }

  async remove(): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

let model: ModelServer;
let controller: BuiltController;
let api: ApiClient;
let hosts: SelfStarted[] = [];

beforeAll(async () => {
  model = await startModelServer();
  const claude = await ensureAgentCli('claude-code');
  controller = await startBuiltController({
    env: { LAUNCHER: 'external', HEARTBEAT_MS: '1000', LEASE_MS: '5000', LOST_AFTER_MS: '6000' },
  });
  api = new ApiClient(controller.url);
  const variables = [
    `CLAUDE_PATH=${claude}`,
    `ANTHROPIC_BASE_URL=${model.url}`,
    'ANTHROPIC_API_KEY=local-model-server',
    'REINS_MAX_SESSIONS=3',
  ].join('\n');
  hosts = ['left', 'right'].map((name) => new SelfStarted(name, variables));
  for (const host of hosts) {
    await host.configure();
    await host.start();
  }
}, AGENT_CLI_INSTALL_MS + 120_000);

afterAll(async () => {
  await Promise.all(hosts.map((host) => host.remove()));
  await controller?.stop();
  await model?.close();
}, 120_000);

jest.setTimeout(240_000);

const hostOf = (agentId: string | null): SelfStarted => {
  const host = hosts.find((known) => known.agentId === agentId);
  if (host === undefined) throw new Error(`no host is agent ${agentId}`);
  return host;
};

describe('two harnesses that started themselves', () => {
  it('host four javascript sessions and one of the real Claude Code; one killed mid-turn and restarted goes on', async () => {
    const javascript = await api.worker();
    const claude = await api.worker('claude-code', { agentMd: 'You answer in one sentence.' });
    const made = [
      ...(await Promise.all([1, 2, 3, 4].map(() => api.session(javascript, PATIENT)))),
      await api.session(claude),
    ];
    const sessions: SessionView[] = await Promise.all(made.map(({ id }) => api.until(id, 'active', 120_000)));
    for (const { launcher, agentId } of sessions) {
      expect(launcher).toBe('external');
      hostOf(agentId);
    }
    const perHost = hosts.map(({ agentId }) => sessions.filter((session) => session.agentId === agentId).length);
    expect(perHost.sort()).toEqual([2, 3]);

    const [code, talk] = [sessions.slice(0, 4), sessions[4]];
    if (talk === undefined) throw new Error('there is a session of Claude Code');
    const answers = await Promise.all(code.map(({ id }, index) => api.prompt(id, `var kept = ${index}; kept * 2`)));
    expect(answers.map(({ response }) => response)).toEqual(['0', '2', '4', '6']);
    const said = await api.prompt(talk.id, 'Make it. [[tool:echo made > proof.txt && cat proof.txt]] [[text:Made.]]');
    expect(said.response).toContain('Made.');
    const workspace = join(hostOf(talk.agentId).folder, 'workspace', talk.id);
    expect(existsSync(join(workspace, 'proof.txt'))).toBe(true);
    expect(existsSync(join(workspace, 'CLAUDE.md'))).toBe(true);

    const victim = code[0];
    if (victim === undefined) throw new Error('there is a javascript session');
    const host = hostOf(victim.agentId);
    const lost = api.call('POST', `/sessions/${victim.id}/prompt`, {
      prompt: 'console.log("begun"); await new Promise((go) => setTimeout(go, 60000))',
    });
    await eventually(async () => {
      expect((await api.log(victim.id)).some(({ data }) => data['text'] === 'begun')).toBe(true);
    });
    await host.end('SIGKILL');
    expect(await lost).toMatchObject({ status: 409, body: { code: 'turn_interrupted' } });
    expect(await api.get(victim.id)).toMatchObject({ status: 'active', agentId: host.agentId });
    // The other host does not notice.
    const spared = code.find(({ agentId }) => agentId !== host.agentId);
    expect((await api.prompt(spared?.id ?? '', '"here"')).response).toBe('here');

    const waiting = api.prompt(victim.id, '"back again"');
    await host.start();
    expect((await waiting).response).toBe('back again');
    expect((await api.get(victim.id)).agentId).toBe(host.agentId);

    for (const { id } of sessions) await api.must('DELETE', `/sessions/${id}`);
    for (const { id } of sessions) await api.until(id, 'ended', 120_000);
    for (const { id, agentId } of sessions) {
      await eventually(async () => expect(existsSync(join(hostOf(agentId).folder, 'workspace', id))).toBe(false));
    }
    for (const { agentId } of hosts) {
      expect(await api.must('GET', `/agents/${agentId}`)).toMatchObject({ boundSessions: [], connected: true });
    }
  });

  it('SIGTERM of one gives it time to say goodbye; its sessions go on where it starts again', async () => {
    const worker = await api.worker();
    const [host] = hosts;
    const { id } = await api.session(worker, { agentId: host?.agentId });
    await api.until(id, 'active', 60_000);
    expect((await api.prompt(id, '1')).response).toBe('1');
    expect(await host?.end('SIGTERM')).toBe(0);
    const waiting = api.prompt(id, '2');
    await host?.start();
    expect((await waiting).response).toBe('2');
    await api.must('DELETE', `/sessions/${id}`);
    await api.until(id, 'ended', 60_000);
  });
});
