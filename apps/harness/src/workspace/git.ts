import { redactUrlCredentials } from '../log/logger';
import { endGroup, spawnGroup } from '../lifecycle/child';

/** A git command that failed; the message carries what git said, without credentials. */
export class GitError extends Error {
  override readonly name = 'GitError';
}

export interface GitOptions {
  cwd: string;
  env: Readonly<Record<string, string>>;
  timeoutMs?: number;
}

/**
 * On every command: no transport that runs programs, no hooks (a repository's content is not ours), no question that
 * nobody would answer.
 */
const ALWAYS = ['-c', 'protocol.ext.allow=never', '-c', 'core.hooksPath=/dev/null', '-c', 'gc.auto=0'];
const TIMEOUT_MS = 10 * 60_000;
const MAX_OUTPUT = 64 * 1024;

/** Runs git and answers what it wrote to stdout, trimmed. Rejects with a GitError. */
export async function git(args: readonly string[], options: GitOptions): Promise<string> {
  const { cwd, env, timeoutMs = TIMEOUT_MS } = options;
  const group = await spawnGroup('git', [...ALWAYS, ...args], {
    cwd,
    env: { ...env, LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_SSH_COMMAND: 'ssh -o BatchMode=yes' },
    stdio: ['ignore', 'pipe', 'pipe'],
  }).catch((error: NodeJS.ErrnoException) => {
    throw new GitError(`git cannot be started (${error.code ?? error.message})`);
  });
  let out = '';
  let err = '';
  group.child.stdout?.setEncoding('utf8').on('data', (text: string) => (out = (out + text).slice(0, MAX_OUTPUT)));
  group.child.stderr?.setEncoding('utf8').on('data', (text: string) => (err = (err + text).slice(-MAX_OUTPUT)));
  const closed = new Promise((resolve) => group.child.once('close', resolve));
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void endGroup(group);
  }, timeoutMs);
  const { code, signal } = await group.exited;
  clearTimeout(timer);
  await closed;
  if (late) throw new GitError(`git ${args[0] ?? ''} took longer than ${timeoutMs / 1000} s`);
  if (code !== 0)
    throw new GitError(complaint(err) || `git ${args[0] ?? ''} ended with ${code ?? signal ?? 'nothing'}`);
  return out.trim();
}

/** What git calls the cause, else the last it said; the advice it adds is left out. */
function complaint(text: string): string {
  const lines = redactUrlCredentials(text)
    .split('\n')
    .filter((line) => line.trim() !== '');
  const causes = lines.filter((line) => /^(fatal|error|remote):/.test(line));
  return (causes.length > 0 ? causes : lines).slice(-3).join(' ').slice(0, 500);
}
