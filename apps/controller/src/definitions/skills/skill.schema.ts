import { Schema } from 'mongoose';
import { type TenantDocument } from '../../database/tenant.repository';

export interface SkillDocument extends TenantDocument {
  name: string;
  version: string;
  description?: string;
  targetPath: string;
  isSystem: boolean;
  defaultInclude: boolean;
  /** Of the stored package. */
  sha256: string;
  sizeBytes: number;
  createdAt: Date;
  updatedAt: Date;
}

export const SKILL = 'Skill';

export const skillSchema = new Schema<SkillDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    name: { type: String, required: true },
    version: { type: String, required: true },
    description: String,
    targetPath: { type: String, required: true },
    isSystem: { type: Boolean, required: true },
    defaultInclude: { type: Boolean, required: true },
    sha256: { type: String, required: true },
    sizeBytes: { type: Number, required: true },
    createdAt: { type: Date, required: true },
    updatedAt: { type: Date, required: true },
  },
  { versionKey: false, collection: 'skills' },
);

// Serves by-name and keeps each version of a skill unique within an organisation.
skillSchema.index({ orgId: 1, name: 1, version: 1 }, { unique: true });
// Serves the list: newest first.
skillSchema.index({ orgId: 1, _id: -1 });
