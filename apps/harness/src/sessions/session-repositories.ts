import { type SessionDescriptor } from '@reins/shared/link/connect';
import { commitRepositories, saveRepositories } from '../workspace/bootstrap';
import { type CommitResult, type Environment } from '../workspace/repositories';

export interface SessionRepositoriesOptions {
  workspace: string;
  /** As the session is defined now. */
  descriptor: () => SessionDescriptor;
  env: Environment;
  /** Tells the session's log. */
  report: (level: 'info' | 'error', message: string) => Promise<unknown>;
}

/** What becomes of the work in a session's repositories when its harness leaves or the session ends. */
export class SessionRepositories {
  /** Whether all that they had was pushed at the session's end; undefined before that. */
  private isPushed: boolean | undefined;

  constructor(private readonly options: SessionRepositoriesOptions) {}

  /** Whether nothing that was made in them is lost with their folder. */
  get mayBeRemoved(): boolean {
    const { repository, workerRepo } = this.options.descriptor();
    return this.isPushed ?? (repository === null && workerRepo === null);
  }

  /** The session's end: committed and pushed. */
  async push(): Promise<CommitResult[]> {
    const { workspace, descriptor, env } = this.options;
    const commits = await saveRepositories(workspace, descriptor(), env);
    await this.tell(commits);
    this.isPushed = commits.every(({ error }) => error === undefined);
    return commits;
  }

  /** The harness leaves: committed where they are, for the next one, which has the same folder. */
  async commit(): Promise<void> {
    const { workspace, descriptor, env } = this.options;
    await this.tell(await commitRepositories(workspace, descriptor(), env));
  }

  private async tell(commits: readonly CommitResult[]): Promise<void> {
    for (const { repo, branch, error } of commits) {
      if (error === undefined) await this.options.report('info', `${repo}: saved on ${branch}`);
      else await this.options.report('error', `${repo}: not saved: ${error}`);
    }
  }
}
