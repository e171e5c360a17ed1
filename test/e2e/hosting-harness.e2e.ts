import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentView } from '@reins/shared/api/agents';
import { type SessionView } from '@reins/shared/api/sessions';
import { systemClock } from '@reins/shared/util';
import { ApiClient, eventually } from '../support/api-client';
import { bootController, type TestController } from '../support/controller';
import { newHost, type Play, type RealHost, startRealHost } from '../support/hosts';
import { type Credentials } from '../support/scripted-harness';

jest.setTimeout(60_000);

let controller: TestController;
let api: ApiClient;
let outside: string;
const hosts: RealHost[] = [];

beforeAll(async () => {
  outside = mkdtempSync(join(tmpdir(), 'reins-outside-'));
  controller = await bootController({
    HEARTBEAT_MS: '500',
    LEASE_MS: '3000',
    SESSION_END_TIMEOUT_MS: '8000',
    REPOSITORY_SCHEMES: 'https,file',
  });
  api = new ApiClient(controller.url);
}, 60_000);

afterEach(async () => {
  for (const host of hosts.splice(0)) {
    await host.stop();
    host.remove();
  }
});

afterAll(async () => {
  await controller.close();
  rmSync(outside, { recursive: true, force: true });
}, 60_000);

/** Leaves a file named by the prompt, and says by what it goes. */
const tell: Play = async (prompt, { workspace, instruction, mcpServers, session, allowedTools }) => {
  writeFileSync(join(workspace, prompt), '');
  return JSON.stringify({
    instruction,
    servers: Object.keys(mcpServers),
    model: session.modelConfig?.model,
    allowedTools,
  });
};

const identity = (name: string, more: object = {}): Promise<Credentials> => newHost(api, name, more);

function start(credentials: Credentials, options: Parameters<typeof startRealHost>[3] = {}, play = tell): RealHost {
  const host = startRealHost(controller.url, credentials, play, options);
  hosts.push(host);
  return host;
}

const agent = (id: string): Promise<AgentView> => api.must<AgentView>('GET', `/agents/${id}`);

async function pinned(agentId: string, worker: object = {}, more: object = {}): Promise<SessionView> {
  return api.session(await api.worker('javascript', worker), { agentId, ...more });
}

async function said(sessionId: string, prompt: string): Promise<Record<string, unknown>> {
  return JSON.parse((await api.prompt(sessionId, prompt)).response) as Record<string, unknown>;
}

const folderOf = (host: RealHost, sessionId: string): string => join(host.folder, 'workspace', sessionId);

function bareRepository(name: string): string {
  const [bare, work] = [join(outside, `${name}.git`), join(outside, name)];
  const git = (cwd: string, ...args: string[]): void => {
    const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.test', '-c', 'init.defaultBranch=main'];
    execFileSync('git', [...who, ...args], { cwd, stdio: 'ignore' });
  };
  git(outside, 'init', '--bare', bare);
  git(outside, 'init', work);
  writeFileSync(join(work, 'readme'), 'text');
  git(work, 'add', '.');
  git(work, 'commit', '-m', 'first');
  git(work, 'push', bare, 'HEAD:main');
  return bare;
}

describe('a harness that hosts sessions', () => {
  it('serves each by the definition of its worker, in a folder of its own, beside its own configuration', async () => {
    const instruction = {
      name: 'own',
      description: 'd',
      systemPrompt: 'the own one',
      guidelines: [],
      status: 'active',
    };
    const { _id: instructionId } = await api.must<{ _id: string }>('POST', '/instructions', instruction);
    const credentials = await identity('own', { instructionId });
    const host = start(credentials);
    const one = await pinned(credentials.agentId, { agentMd: 'one', modelConfig: { model: 'm1' } });
    const two = await pinned(credentials.agentId, {
      agentMd: 'two',
      mcpServers: [{ name: 'x', url: 'https://x.test' }],
    });
    await Promise.all([one, two].map(({ id }) => api.until(id, 'active')));
    expect(await said(one.id, 'a')).toEqual({ instruction: 'one', servers: [], model: 'm1', allowedTools: [] });
    expect(await said(two.id, 'b')).toEqual({ instruction: 'two', servers: ['x'], allowedTools: [] });
    expect(existsSync(join(folderOf(host, one.id), 'a'))).toBe(true);
    expect(existsSync(join(folderOf(host, one.id), 'b'))).toBe(false);
    expect(existsSync(join(folderOf(host, two.id), 'b'))).toBe(true);
    expect(host.harness.agent.configuration().instruction).toContain('the own one');
  });

  it('goes by an edit of the worker and of the system instructions at the next prompt, without a restart', async () => {
    const credentials = await identity('edited');
    start(credentials);
    const session = await pinned(credentials.agentId, { agentMd: 'old' });
    await api.until(session.id, 'active');
    expect(await said(session.id, 'a')).toMatchObject({ instruction: 'old' });
    await api.must('PUT', `/admin/workers/${session.workerId}`, { agentMd: 'new', modelConfig: { model: 'm2' } });
    await eventually(async () =>
      expect(await said(session.id, 'b')).toMatchObject({ instruction: 'new', model: 'm2' }),
    );
    await api.must('PUT', '/admin/system-instructions', { content: 'all of you' });
    await eventually(async () =>
      expect(await said(session.id, 'c')).toMatchObject({ instruction: 'all of you\n\nnew' }),
    );
    await api.must('PUT', '/admin/system-instructions', { content: '' });
  });

  it('fetches an instruction that is too long for the link, before and after an edit', async () => {
    const credentials = await identity('long');
    start(credentials);
    const session = await pinned(credentials.agentId, { agentMd: 'x'.repeat(70_000) });
    await api.until(session.id, 'active');
    const length = async (prompt: string): Promise<number> =>
      String((await said(session.id, prompt)).instruction).length;
    expect(await length('a')).toBe(70_000);
    await api.must('PUT', `/admin/workers/${session.workerId}`, { agentMd: 'y'.repeat(80_000) });
    await eventually(async () => expect(await length('b')).toBe(80_000));
  });

  it('says how many sessions of what kinds it takes, and takes no more', async () => {
    const credentials = await identity('small');
    const host = start(credentials, { env: { REINS_MAX_SESSIONS: '2' } });
    await eventually(async () => {
      expect(await agent(credentials.agentId)).toMatchObject({
        capacity: 2,
        supportedTypes: ['javascript', 'claude-code'],
      });
    });
    const sessions = await Promise.all([1, 2, 3].map(() => pinned(credentials.agentId)));
    const statuses = async (): Promise<string[]> =>
      (await Promise.all(sessions.map(({ id }) => api.get(id)))).map(({ status }) => status).sort();
    await eventually(async () => expect(await statuses()).toEqual(['active', 'active', 'pending']));
    expect(host.harness.status.sessions).toBe(2);
    const first = (await Promise.all(sessions.map(({ id }) => api.get(id)))).find(({ status }) => status === 'active');
    await api.must('DELETE', `/sessions/${first?.id}`);
    await eventually(async () => expect(await statuses()).toEqual(['active', 'active', 'ended']));
  });

  it('is asked for turns of a new session at once, however often its sessions came and went before', async () => {
    const credentials = await identity('churn');
    start(credentials, { env: { REINS_MAX_SESSIONS: '10' } });
    const came: string[] = [];
    for (let i = 0; i < 6; i++) {
      const { id } = await pinned(credentials.agentId);
      await api.until(id, 'active');
      came.push(id);
    }
    for (const id of came) {
      await api.must('DELETE', `/sessions/${id}`);
      await api.until(id, 'ended');
    }
    const { id } = await pinned(credentials.agentId);
    await api.until(id, 'active');
    // A pull is held for 25 s: one that is out of date must not stand in the way for so long.
    const late = systemClock.sleep(12_000).then(() => 'not asked for in time');
    expect(await Promise.race([said(id, 'a'), late])).toMatchObject({ allowedTools: [] });
  });

  it('tells why a workspace cannot be made: the session fails with it, the place is free, the harness lives on', async () => {
    const credentials = await identity('no clone');
    const host = start(credentials, { env: { REINS_MAX_SESSIONS: '1' } });
    const repository = { url: `file://${join(outside, 'nothing.git')}` };
    const { id } = await pinned(credentials.agentId, {}, { repository });
    const failed = await api.until(id, 'failed');
    expect(failed.statusReason?.code).toBe('bootstrap_failed');
    expect(failed.statusReason?.message).toMatch(/session_repo|nothing\.git|clone/i);
    await eventually(async () => expect((await agent(credentials.agentId)).boundSessions).toEqual([]));
    await eventually(async () => expect(existsSync(folderOf(host, id))).toBe(false));
    const next = await pinned(credentials.agentId);
    await api.until(next.id, 'active');
  });

  it('does not work where a link has taken the place of the folder', async () => {
    const credentials = await identity('linked');
    const session = await pinned(credentials.agentId);
    const folder = mkdtempSync(join(tmpdir(), 'reins-host-'));
    const elsewhere = mkdtempSync(join(outside, 'elsewhere-'));
    writeFileSync(join(elsewhere, 'precious'), '');
    mkdirSync(join(folder, 'workspace'));
    symlinkSync(elsewhere, join(folder, 'workspace', session.id));
    start(credentials, { folder });
    expect((await api.until(session.id, 'failed')).statusReason?.message).toMatch(/is a link/);
    expect(readdirSync(elsewhere)).toEqual(['precious']);
  });
});

describe('the folder of a hosted session', () => {
  it('goes with its end, and the others stay', async () => {
    const credentials = await identity('folders');
    const host = start(credentials);
    const [one, two] = [await pinned(credentials.agentId), await pinned(credentials.agentId)];
    for (const { id } of [one, two]) {
      await api.until(id, 'active');
      await said(id, 'file');
    }
    await api.must('DELETE', `/sessions/${one.id}`);
    await api.until(one.id, 'ended');
    await eventually(async () => expect(existsSync(folderOf(host, one.id))).toBe(false));
    const state = join(host.folder, '.reins', 'sessions', one.id);
    await eventually(async () => expect(existsSync(state)).toBe(false));
    expect(existsSync(join(folderOf(host, two.id), 'file'))).toBe(true);
    expect(host.harness.status.sessions).toBe(1);
  });

  it('stays where its work could not be pushed, and goes where it could', async () => {
    const credentials = await identity('pushes');
    const host = start(credentials);
    const repositories = ['kept', 'pushed'].map(bareRepository);
    const [kept, pushed] = await Promise.all(
      repositories.map((path) => pinned(credentials.agentId, {}, { repository: { url: `file://${path}` } })),
    );
    for (const session of [kept, pushed]) {
      await api.until(session?.id ?? '', 'active');
      writeFileSync(join(folderOf(host, session?.id ?? ''), 'session_repo', 'work'), 'done');
    }
    rmSync(repositories[0] ?? '', { recursive: true });
    for (const session of [kept, pushed]) await api.must('DELETE', `/sessions/${session?.id}`);
    for (const session of [kept, pushed]) await api.until(session?.id ?? '', 'ended');
    await eventually(async () => expect(existsSync(folderOf(host, pushed?.id ?? ''))).toBe(false));
    await eventually(async () => expect(host.lines.join('\n')).toContain('its work was not pushed'));
    expect(existsSync(join(folderOf(host, kept?.id ?? ''), 'session_repo', 'work'))).toBe(true);
    const branches = execFileSync('git', ['branch', '--list'], { cwd: repositories[1], encoding: 'utf8' });
    expect(branches).toContain(pushed?.id);
  });

  it('stays while it is suspended for being idle, which frees the place; the next prompt goes on in it', async () => {
    const quick = await bootController({ SESSION_IDLE_SECONDS: '1', HEARTBEAT_MS: '500', LEASE_MS: '3000' });
    const own = new ApiClient(quick.url);
    const credentials = await newHost(own, 'idle');
    const host = startRealHost(quick.url, credentials, tell, { env: { REINS_MAX_SESSIONS: '1' } });
    try {
      const { id } = await own.session(await own.worker('javascript', { agentMd: 'still' }), {
        selectionMode: 'exact',
      });
      await own.until(id, 'active');
      await own.prompt(id, 'before');
      await own.until(id, 'suspended');
      await eventually(async () => expect(host.harness.status.sessions).toBe(0));
      expect(await own.must('GET', `/agents/${credentials.agentId}`)).toMatchObject({ boundSessions: [] });
      expect(JSON.parse((await own.prompt(id, 'after')).response)).toMatchObject({ instruction: 'still' });
      expect(readdirSync(join(host.folder, 'workspace', id))).toEqual(expect.arrayContaining(['before', 'after']));
    } finally {
      await host.stop();
      host.remove();
      await quick.close();
    }
  });
});

describe('a harness that is restarted', () => {
  it('takes its sessions over by the welcome, with their folders, and goes on', async () => {
    const credentials = await identity('again');
    const first = startRealHost(controller.url, credentials, tell);
    const sessions = [await pinned(credentials.agentId, { agentMd: 'kept' }), await pinned(credentials.agentId)];
    for (const { id } of sessions) {
      await api.until(id, 'active');
      await said(id, 'before');
    }
    await first.stop();
    const second = start(credentials, { folder: first.folder });
    for (const { id } of sessions) {
      await said(id, 'after');
      expect(readdirSync(folderOf(second, id))).toEqual(expect.arrayContaining(['before', 'after']));
    }
    expect(await said(sessions[0]?.id ?? '', 'more')).toMatchObject({ instruction: 'kept' });
    expect((await agent(credentials.agentId)).boundSessions.sort()).toEqual(sessions.map(({ id }) => id).sort());
  });

  it('in the middle of a turn: the turn is interrupted, what waits in the queue runs on the new one', async () => {
    const credentials = await identity('crash');
    const hang: Play = (_prompt, _context, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve('stopped'), { once: true }));
    const first = startRealHost(controller.url, credentials, hang);
    const { id } = await pinned(credentials.agentId);
    await api.until(id, 'active');
    const lost = api.call('POST', `/sessions/${id}/prompt`, { prompt: 'never ends' });
    await eventually(async () => expect(first.harness.status).toMatchObject({ turnsRunning: 1 }));
    const waiting = api.prompt(id, 'next');
    await systemClock.sleep(100);
    const second = start(credentials, { folder: first.folder });
    // The newer process supersedes the older one, which must not come back.
    expect(await lost).toMatchObject({ status: 409, body: { code: 'turn_interrupted' } });
    expect(JSON.parse((await waiting).response)).toMatchObject({ allowedTools: [] });
    expect((await first.exit).message).toMatch(/newer/i);
    expect(second.harness.status.sessions).toBe(1);
  });
});
