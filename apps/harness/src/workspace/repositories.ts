import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type RepositoryRef } from '@reins/shared/link/connect';
import { redactUrlCredentials } from '../log/logger';
import { removeLocks } from './git-locks';
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

/** A harness that leaves has little time. */
const LOCAL_MS = 4_000;
/** What git keeps in its folder while an operation waits for somebody to conclude it. */
const UNFINISHED = ['MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'rebase-merge', 'rebase-apply', 'BISECT_LOG'];

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
  if (await exists(join(target, '.git'))) {
    await removeLocks(join(target, '.git'));
    return 'kept';
  }
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
    await commitAll(cwd, sessionId, env);
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

/**
 * Commits what is there where the repository stands on the session's own branch and no merge or rebase is under way:
 * concluding one of those is the agent's. Undefined where there is nothing to commit. Never rejects.
 */
export async function commitHere(
  workspace: string,
  folder: string,
  sessionId: string,
  env: Environment,
): Promise<CommitResult | undefined> {
  const cwd = join(workspace, folder);
  const branch = sessionBranch(sessionId);
  const result: CommitResult = { repo: folder, branch, commit: null, pushed: false };
  const options = { cwd, env, timeoutMs: LOCAL_MS };
  if (!(await exists(join(cwd, '.git')))) return undefined;
  try {
    // It fails where no branch is checked out.
    const current = await git(['symbolic-ref', '--short', '-q', 'HEAD'], options).catch(() => '');
    const unfinished = await Promise.all(UNFINISHED.map((name) => exists(join(cwd, '.git', name))));
    if (current !== branch || unfinished.includes(true)) return undefined;
    if (!(await commitAll(cwd, sessionId, env, LOCAL_MS))) return undefined;
    result.commit = await git(['rev-parse', 'HEAD'], options);
  } catch (error) {
    result.error = error instanceof GitError ? error.message : String(error);
  }
  return result;
}

/** Answers whether there was anything to commit. */
async function commitAll(cwd: string, sessionId: string, env: Environment, timeoutMs?: number): Promise<boolean> {
  const options = { cwd, env, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  await git(['add', '-A'], options);
  if ((await git(['status', '--porcelain'], options)) === '') return false;
  await git([...(await author(cwd, env)), 'commit', '-q', '-m', `Work of session ${sessionId}`], options);
  return true;
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
