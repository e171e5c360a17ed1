import { type SessionDescriptor } from '@reins/shared/link/connect';
import { type Clock } from '@reins/shared/util/clock';
import { writeInstruction } from './instruction-file';
import { commitAndPush, commitHere, type CommitResult, ensureClone, type Environment } from './repositories';

export interface WorkspaceOptions {
  workspace: string;
  session: SessionDescriptor;
  instruction: string;
  env: Environment;
  clock: Clock;
  /** Progress for the session's log. */
  onProgress: (level: 'info' | 'error', message: string) => void;
}

function repositoriesOf(session: SessionDescriptor): [folder: string, repository: { url: string; branch: string }][] {
  const given: [string, SessionDescriptor['repository']][] = [
    ['worker_repo', session.workerRepo],
    ['session_repo', session.repository],
  ];
  return given.filter((entry): entry is [string, { url: string; branch: string }] => entry[1] !== null);
}

/**
 * Makes the workspace: the agent's instruction file, then the repositories beside each other. Answers how long each
 * step took in milliseconds. Rejects with CloneFailed where a repository cannot be had.
 */
export async function bootstrapWorkspace(options: WorkspaceOptions): Promise<Record<string, number>> {
  const { workspace, session, instruction, env, clock, onProgress } = options;
  const timings: Record<string, number> = {};
  const timed = async (name: string, step: () => Promise<void>): Promise<void> => {
    const startedAt = clock.monotonic();
    await step();
    timings[name] = Math.round(clock.monotonic() - startedAt);
  };
  await timed('instructionMs', () => writeInstruction(workspace, session.cliType, instruction));
  const clones = repositoriesOf(session).map(([folder, repository]) =>
    timed(`${folder}Ms`, async () => {
      const how = await ensureClone(workspace, folder, repository, session.id, env);
      onProgress('info', how === 'cloned' ? `${folder}: cloned` : `${folder}: the existing clone is kept`);
    }),
  );
  const failed = (await Promise.allSettled(clones)).find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    const reason: unknown = failed.reason;
    const message = reason instanceof Error ? reason.message : String(reason);
    onProgress('error', message);
    throw reason;
  }
  return timings;
}

/** The end of a session: what the agent left in its repositories is committed and pushed. */
export async function saveRepositories(
  workspace: string,
  session: SessionDescriptor,
  env: Environment,
): Promise<CommitResult[]> {
  return Promise.all(repositoriesOf(session).map(([folder]) => commitAndPush(workspace, folder, session.id, env)));
}

/** The harness leaves: what the agent left is committed on the session's branch, where it works on that. */
export async function commitRepositories(
  workspace: string,
  session: SessionDescriptor,
  env: Environment,
): Promise<CommitResult[]> {
  const commits = repositoriesOf(session).map(([folder]) => commitHere(workspace, folder, session.id, env));
  return (await Promise.all(commits)).filter((result) => result !== undefined);
}
