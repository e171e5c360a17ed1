import { type CreateWorker } from '@reins/shared/api/definitions';
import { Schema } from 'mongoose';
import { type TenantDocument } from '../../database/tenant.repository';

export interface WorkerDocument extends TenantDocument, CreateWorker {
  /** Ids of the skills assigned to it. */
  skills: string[];
  createdAt: Date;
  updatedAt: Date;
}

export const WORKER = 'Worker';

export const workerSchema = new Schema<WorkerDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    name: { type: String, required: true },
    description: String,
    runtimeId: { type: String, required: true },
    cliType: { type: String, required: true },
    agentMd: String,
    modelConfig: { type: Schema.Types.Mixed },
    mcpServers: { type: [Schema.Types.Mixed], default: undefined },
    workerRepoUrl: String,
    workerRepoBranch: { type: String, required: true },
    autoLearn: { type: Boolean, required: true },
    timeout: { type: Number, required: true },
    launcher: String,
    placement: { type: Schema.Types.Mixed },
    pod: { type: Schema.Types.Mixed },
    skills: [String],
    createdAt: { type: Date, required: true },
    updatedAt: { type: Date, required: true },
  },
  { versionKey: false, collection: 'workers' },
);

// Serves by-name and keeps names unique within an organisation.
workerSchema.index({ orgId: 1, name: 1 }, { unique: true });
// Serves the list: newest first.
workerSchema.index({ orgId: 1, _id: -1 });
// Serves the question whether a runtime is still in use.
workerSchema.index({ orgId: 1, runtimeId: 1 });
// Serves taking a deleted skill away from its workers.
workerSchema.index({ orgId: 1, skills: 1 });
