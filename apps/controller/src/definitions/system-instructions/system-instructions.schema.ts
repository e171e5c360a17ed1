import { Schema } from 'mongoose';
import { type TenantDocument } from '../../database/tenant.repository';

/** One version of an organisation's text. A version is never changed; an edit adds the next one. */
export interface SystemInstructionsDocument extends TenantDocument {
  version: number;
  content: string;
  createdAt: Date;
  createdBy: string;
}

export const SYSTEM_INSTRUCTIONS = 'SystemInstructions';

export const systemInstructionsSchema = new Schema<SystemInstructionsDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    version: { type: Number, required: true },
    content: { type: String, default: '' },
    createdAt: { type: Date, required: true },
    createdBy: { type: String, required: true },
  },
  { versionKey: false, collection: 'system_instructions' },
);

// Serves the current version (the highest) and the history, and keeps two edits from taking the same number.
systemInstructionsSchema.index({ orgId: 1, version: -1 }, { unique: true });
