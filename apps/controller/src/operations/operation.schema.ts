import { type OperationState, type OperationType } from '@reins/shared/state';
import { Schema } from 'mongoose';
import { type TenantDocument } from '../database/tenant.repository';

export interface OperationStep {
  name: string;
  at: Date;
  message: string | null;
}

/** A lifecycle change of a session: who asked, what happened, how it ended. Outlives its session. */
export interface OperationDocument extends TenantDocument {
  sessionId: string;
  type: OperationType;
  status: OperationState;
  actor: string;
  startedAt: Date;
  completedAt: Date | null;
  error: { code: string; message: string } | null;
  steps: OperationStep[];
}

export const OPERATION = 'Operation';

export const operationSchema = new Schema<OperationDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    sessionId: { type: String, required: true },
    type: { type: String, required: true },
    status: { type: String, required: true },
    actor: { type: String, required: true },
    startedAt: { type: Date, required: true },
    completedAt: { type: Date, default: null },
    error: { type: Schema.Types.Mixed, default: null },
    steps: { type: [Schema.Types.Mixed] as never, default: [] },
  },
  { versionKey: false, collection: 'operations' },
);

// Serves a session's operations, newest first, and the settling of its open ones.
operationSchema.index({ orgId: 1, sessionId: 1, _id: -1 });
