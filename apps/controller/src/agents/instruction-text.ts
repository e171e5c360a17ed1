import { type ConnectResponse } from '@reins/shared/link/connect';

export type InstructionDetail = ConnectResponse['instructionDetail'];

/** AIWM's merge: the system prompt, then the guidelines numbered from 1, each ending its line. */
export function instructionText({ systemPrompt, guidelines }: Omit<InstructionDetail, 'id'>): string {
  if (guidelines.length === 0) return systemPrompt;
  const lines = guidelines.map((guideline, index) => `${index + 1}. ${guideline}\n`);
  return `${systemPrompt}\n\n## Guidelines\n${lines.join('')}`;
}

/** What an agent without an instruction of its own is told, in AIWM's words. */
export function placeholderInstruction(instructionId: string | undefined): InstructionDetail {
  const systemPrompt =
    instructionId === undefined ? 'No instruction configured for this agent.' : 'Instruction not found.';
  return { id: '', systemPrompt, guidelines: [] };
}
