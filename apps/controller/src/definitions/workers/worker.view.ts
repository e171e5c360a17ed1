import { type WorkerView } from '@reins/shared/api/definitions';
import { redactRepositoryUrl } from '../repository-url';
import { type WorkerDocument } from './worker.schema';

/** A worker as the API shows it: credentials in the repository URL are for the harness alone. */
export function toWorkerView(worker: WorkerDocument): WorkerView {
  const { _id, orgId: _orgId, createdAt, updatedAt, workerRepoUrl, ...fields } = worker;
  return {
    id: _id,
    ...fields,
    ...(workerRepoUrl === undefined ? {} : { workerRepoUrl: redactRepositoryUrl(workerRepoUrl) }),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
