import { type InstructionView } from '@reins/shared/api/instructions';
import { toAiwmView } from '../../common/aiwm-document';
import { type InstructionDocument } from './instruction.schema';

export function toInstructionView(instruction: InstructionDocument): InstructionView {
  const { name, description, systemPrompt, guidelines, tags, status } = instruction;
  return { ...toAiwmView(instruction), name, description, systemPrompt, guidelines, tags, status };
}
