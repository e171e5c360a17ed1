import { type InstructionStatus } from '@reins/shared/api/instructions';
import { Schema } from 'mongoose';
import { AIWM_FIELDS, type AiwmDocument } from '../../common/aiwm-document';

export interface InstructionDocument extends AiwmDocument {
  name: string;
  description: string;
  systemPrompt: string;
  guidelines: string[];
  tags: string[];
  status: InstructionStatus;
}

export const INSTRUCTION = 'Instruction';

export const instructionSchema = new Schema<InstructionDocument>(
  {
    ...AIWM_FIELDS,
    name: { type: String, required: true },
    description: { type: String, default: '' },
    systemPrompt: { type: String, required: true },
    guidelines: [String],
    tags: [String],
    status: { type: String, required: true },
  },
  { versionKey: false, collection: 'instructions' },
);

// Serves the list (newest first) and its statistics. One instruction is found by its `_id`.
instructionSchema.index({ orgId: 1, isDeleted: 1, createdAt: -1, _id: -1 });
