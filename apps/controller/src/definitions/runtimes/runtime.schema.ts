import { Schema } from 'mongoose';
import { type TenantDocument } from '../../database/tenant.repository';

export interface RuntimeDocument extends TenantDocument {
  name: string;
  description?: string;
  baseImage: string;
  vwImage?: string;
  tags: string[];
  /** Absent in runtimes of before there were any. */
  warmPods?: number;
  createdAt: Date;
  updatedAt: Date;
}

export const RUNTIME = 'Runtime';

export const runtimeSchema = new Schema<RuntimeDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    name: { type: String, required: true },
    description: String,
    baseImage: { type: String, required: true },
    vwImage: String,
    tags: [String],
    warmPods: Number,
    createdAt: { type: Date, required: true },
    updatedAt: { type: Date, required: true },
  },
  { versionKey: false, collection: 'runtimes' },
);

// Serves by-name and keeps names unique within an organisation.
runtimeSchema.index({ orgId: 1, name: 1 }, { unique: true });
// Serves the loop that keeps warm pods.
runtimeSchema.index({ warmPods: 1 });
// Serves the list: newest first.
runtimeSchema.index({ orgId: 1, _id: -1 });
