import { z } from 'zod';
import { type AiwmPage, type AiwmView } from './aiwm';

export const INSTRUCTION_STATUSES = ['active', 'inactive'] as const;
export type InstructionStatus = (typeof INSTRUCTION_STATUSES)[number];

const fields = z.object({
  name: z
    .string()
    .min(1, 'must not be empty')
    .max(200, 'must have at most 200 characters')
    .refine((name) => !/\p{Cc}/u.test(name), 'must not contain control characters'),
  description: z.string().max(1000),
  systemPrompt: z.string().min(10, 'must have at least 10 characters').max(200_000),
  /** Numbered after the prompt in the text an agent gets. */
  guidelines: z.array(z.string().min(1).max(5000)).max(200),
  tags: z.array(z.string().max(100)).max(50),
  status: z.enum(INSTRUCTION_STATUSES),
});

export const CreateInstruction = fields.extend({
  description: fields.shape.description.default(''),
  guidelines: fields.shape.guidelines.default([]),
  tags: fields.shape.tags.default([]),
  status: fields.shape.status.default('active'),
});
export type CreateInstruction = z.infer<typeof CreateInstruction>;

export const UpdateInstruction = fields.partial();
export type UpdateInstruction = z.infer<typeof UpdateInstruction>;

export interface InstructionView extends AiwmView, CreateInstruction {}

export type InstructionPage = AiwmPage<InstructionView>;
