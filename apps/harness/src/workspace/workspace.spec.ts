import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SessionDescriptor } from '@reins/shared/link/connect';
import { systemClock } from '@reins/shared/util/clock';
import { bootstrapWorkspace, saveRepositories } from './bootstrap';
import { instructionFileName, writeInstruction } from './instruction-file';
import { CloneFailed } from './repositories';
import { UnsafePath } from './safe-path';

let folder: string;
let env: Record<string, string>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reins-workspace-'));
  env = { PATH: process.env.PATH ?? '', HOME: folder };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();

function origin(name: string): string {
  const bare = join(folder, `${name}.git`);
  const seed = join(folder, `${name}-seed`);
  git(folder, 'init', '-q', '--bare', '-b', 'main', bare);
  git(folder, 'clone', '-q', bare, seed);
  writeFileSync(join(seed, 'README'), name);
  git(seed, 'checkout', '-q', '-b', 'main');
  git(seed, 'add', '-A');
  git(seed, 'commit', '-q', '-m', 'first');
  git(seed, 'push', '-q', 'origin', 'main');
  return bare;
}

const session = (more: Partial<SessionDescriptor>): SessionDescriptor => ({
  id: 'sess-1',
  workerId: 'wk-1',
  cliType: 'claude-code',
  modelConfig: null,
  repository: null,
  workerRepo: null,
  resume: null,
  limits: { turnTimeoutMs: 1, turnIdleMs: 1, cpuMs: 1, wallMs: 1, memoryBytes: 1 },
  ...more,
});

function bootstrap(descriptor: SessionDescriptor, workspace = join(folder, 'workspace')) {
  const progress: string[] = [];
  const done = bootstrapWorkspace({
    workspace,
    session: descriptor,
    instruction: 'Be careful.',
    env,
    clock: systemClock,
    onProgress: (level, message) => progress.push(`${level} ${message}`),
  });
  return { done, progress, workspace };
}

describe('bootstrapWorkspace', () => {
  it('writes the instruction and clones both repositories onto the branch of the session', async () => {
    const repository = { url: origin('project'), branch: 'main' };
    const workerRepo = { url: origin('knowledge'), branch: 'main' };
    const { done, workspace } = bootstrap(session({ repository, workerRepo }));
    const timings = await done;
    expect(readFileSync(join(workspace, 'CLAUDE.md'), 'utf8')).toBe('Be careful.');
    expect(readFileSync(join(workspace, 'session_repo/README'), 'utf8')).toBe('project');
    expect(readFileSync(join(workspace, 'worker_repo/README'), 'utf8')).toBe('knowledge');
    expect(git(join(workspace, 'session_repo'), 'branch', '--show-current')).toBe('reins/sess-1');
    expect(Object.keys(timings).sort()).toEqual(['instructionMs', 'session_repoMs', 'worker_repoMs']);
  });

  it('keeps what an earlier harness left, and clones again over a clone that was cut', async () => {
    const descriptor = session({ repository: { url: origin('project'), branch: 'main' } });
    const { done, workspace } = bootstrap(descriptor);
    await done;
    writeFileSync(join(workspace, 'session_repo/draft'), 'unfinished');
    await bootstrap(descriptor).done;
    expect(readFileSync(join(workspace, 'session_repo/draft'), 'utf8')).toBe('unfinished');
    rmSync(join(workspace, 'session_repo'), { recursive: true });
    mkdirSync(join(workspace, '.session_repo.partial/.git'), { recursive: true });
    await bootstrap(descriptor).done;
    expect(existsSync(join(workspace, 'session_repo/README'))).toBe(true);
    expect(existsSync(join(workspace, '.session_repo.partial'))).toBe(false);
  });

  it.each([
    ['of a missing repository', (): string => join(folder, 'none.git')],
    ['that is an option', (): string => `--upload-pack=touch ${folder}/pwned`],
    ['of a transport that runs programs', (): string => `ext::sh -c "touch ${folder}/pwned"`],
  ])('names the repository of a clone %s that fails, and runs nothing', async (_what, url) => {
    const { done, progress, workspace } = bootstrap(session({ repository: { url: url(), branch: 'main' } }));
    await expect(done).rejects.toBeInstanceOf(CloneFailed);
    expect(progress.some((line) => line.startsWith('error') && line.includes('session_repo'))).toBe(true);
    expect(existsSync(join(folder, 'pwned'))).toBe(false);
    expect(existsSync(join(workspace, 'session_repo'))).toBe(false);
  });

  it('never tells the credentials of a URL', async () => {
    const url = 'http://bob:hunter2@127.0.0.1:9/x.git';
    const { done, progress } = bootstrap(session({ repository: { url, branch: 'main' } }));
    const message = await done.then(String, (error: Error) => error.message);
    expect(message).toContain('127.0.0.1:9/x.git');
    expect(message + progress.join('')).not.toContain('hunter2');
  });
});

describe('saveRepositories', () => {
  it('commits and pushes what the agent left; a second end finds nothing to do', async () => {
    const url = origin('project');
    const descriptor = session({ repository: { url, branch: 'main' } });
    const { done, workspace } = bootstrap(descriptor);
    await done;
    writeFileSync(join(workspace, 'session_repo/result.txt'), 'done');
    const [first] = await saveRepositories(workspace, descriptor, env);
    expect(first).toEqual({
      repo: 'session_repo',
      branch: 'reins/sess-1',
      commit: git(url, 'rev-parse', 'reins/sess-1'),
      pushed: true,
    });
    expect(git(url, 'log', '-1', '--format=%an <%ae>', 'reins/sess-1')).toBe('Reins <reins@localhost>');
    const [second] = await saveRepositories(workspace, descriptor, env);
    expect(second).toEqual({ ...first, pushed: false });
  });

  it('goes on from the branch that an earlier workspace pushed', async () => {
    const descriptor = session({ repository: { url: origin('project'), branch: 'main' } });
    const one = bootstrap(descriptor);
    await one.done;
    writeFileSync(join(one.workspace, 'session_repo/result.txt'), 'done');
    await saveRepositories(one.workspace, descriptor, env);
    const two = bootstrap(descriptor, join(folder, 'elsewhere'));
    await two.done;
    expect(readFileSync(join(two.workspace, 'session_repo/result.txt'), 'utf8')).toBe('done');
  });

  it('reports a push that fails and still commits; hooks of the repository do not run', async () => {
    const url = origin('project');
    const descriptor = session({ repository: { url, branch: 'main' } });
    const { done, workspace } = bootstrap(descriptor);
    await done;
    const hook = join(workspace, 'session_repo/.git/hooks/pre-commit');
    writeFileSync(hook, `#!/bin/sh\ntouch ${folder}/hooked\n`, { mode: 0o755 });
    writeFileSync(join(workspace, 'session_repo/result.txt'), 'done');
    rmSync(url, { recursive: true });
    const [result] = await saveRepositories(workspace, descriptor, env);
    expect(result).toMatchObject({ pushed: false, commit: expect.stringMatching(/^[0-9a-f]{40}$/) as string });
    expect(result?.error).toContain('does not appear to be a git repository');
    expect(existsSync(join(folder, 'hooked'))).toBe(false);
  });
});

describe('the instruction file', () => {
  it.each([
    ['claude-code', 'CLAUDE.md'],
    ['gemini', 'GEMINI.md'],
    ['codex', 'AGENTS.md'],
    ['constructor', 'AGENTS.md'],
    ['javascript', undefined],
  ])('of %s is %s', (cliType, name) => {
    expect(instructionFileName(cliType)).toBe(name);
  });

  it('is not written through a link out of the workspace', async () => {
    const workspace = join(folder, 'workspace');
    mkdirSync(workspace);
    writeFileSync(join(folder, 'outside'), 'mine');
    symlinkSync('../outside', join(workspace, 'CLAUDE.md'));
    await expect(writeInstruction(workspace, 'claude-code', 'x')).rejects.toBeInstanceOf(UnsafePath);
    expect(readFileSync(join(folder, 'outside'), 'utf8')).toBe('mine');
  });
});
