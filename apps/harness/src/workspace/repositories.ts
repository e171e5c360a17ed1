import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type RepositoryRef } from '@reins/shared/link/connect';
import { redactUrlCredentials } from '../log/logger';
import { git, GitError, type GitOptions } from './git';

/** A repository that could not be brought into the workspace; without it the session cannot start. */
export class CloneFailed extends Error {
  override readonly name = 'CloneFailed';
}

export interface CommitResult {
  repo: string;
  branch: string;
  /** The branch's last commit; null where there is none. */
  commit: string | null;
  pushed: boolean;
  error?: string;
}

export type Environment = GitOptions['env'];

function sessionBranch(sessionId: string): string {
  return `reins/${sessionId}`;
}

/**
 * Clones into `workspace/folder` and checks out the session's own branch, the remote's where it has one already. What
 * an earlier harness cloned is kept as it is, with whatever the agent left in it.
 */
export async function ensureClone(
  workspace: string,
  folder: string,
  repository: RepositoryRef,
  sessionId: string,
  env: Environment,
): Promise<'cloned' | 'kept'> {
  const target = join(workspace, folder);
  if (await exists(join(target, '.git'))) return 'kept';
  const partial = join(workspace, `.${folder}.partial`);
  const branch = sessionBranch(sessionId);
  try {
    await mkdir(workspace, { recursive: true });
    await rm(partial, { recursive: true, force: true });
    await git(['clone', `--branch=${repository.branch}`, '--', repository.url, partial], { cwd: workspace, env });
    const remote = `refs/remotes/origin/${branch}`;
    const known = await git(['for-each-ref', '--format=%(refname)', remote], { cwd: partial, env });
    await git(['checkout', '-q', '-B', branch, ...(known === '' ? [] : [remote])], { cwd: partial, env });
    await rename(partial, target);
    return 'cloned';
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new CloneFailed(`repository ${redactUrlCredentials(repository.url)} (${folder}) cannot be cloned: ${reason}`);
  }
}

/** Commits what is there and pushes the session's branch. Never rejects: what failed is part of the result. */
export async function commitAndPush(
  workspace: string,
  folder: string,
  sessionId: string,
  env: Environment,
): Promise<CommitResult> {
  const cwd = join(workspace, folder);
  const branch = sessionBranch(sessionId);
  const result: CommitResult = { repo: folder, branch, commit: null, pushed: false };
  try {
    await git(['add', '-A'], { cwd, env });
    if ((await git(['status', '--porcelain'], { cwd, env })) !== '') {
      await git([...(await author(cwd, env)), 'commit', '-q', '-m', `Work of session ${sessionId}`], { cwd, env });
    }
    result.commit = await git(['rev-parse', 'HEAD'], { cwd, env });
    const unpushed = await git(['rev-list', '--count', 'HEAD', '--not', '--remotes'], { cwd, env });
    if (unpushed === '0') return result;
    await git(['push', '-q', 'origin', `HEAD:refs/heads/${branch}`], { cwd, env });
    result.pushed = true;
  } catch (error) {
    result.error = error instanceof GitError ? error.message : String(error);
  }
  return result;
}

async function author(cwd: string, env: Environment): Promise<string[]> {
  const configured = await git(['config', 'user.email'], { cwd, env }).catch(() => '');
  return configured === '' ? ['-c', 'user.name=Reins', '-c', 'user.email=reins@localhost'] : [];
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
