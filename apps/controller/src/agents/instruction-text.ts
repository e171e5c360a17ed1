import { type ConnectResponse } from '@reins/shared/link/connect';

export type InstructionDetail = ConnectResponse['instructionDetail'];

type Instruction = { _id: string; status: string; systemPrompt: string; guidelines: string[] };

/** AIWM's merge: the system prompt, then the guidelines numbered from 1, each ending its line. */
export function instructionText({ systemPrompt, guidelines }: Omit<InstructionDetail, 'id'>): string {
  if (guidelines.length === 0) return systemPrompt;
  const lines = guidelines.map((guideline, index) => `${index + 1}. ${guideline}\n`);
  return `${systemPrompt}\n\n## Guidelines\n${lines.join('')}`;
}

/** What an agent is told: its instruction while that is active, else in words why there is none. */
export function instructionDetail(
  instructionId: string | undefined,
  instruction: Instruction | undefined,
): InstructionDetail {
  if (instructionId === undefined) return placeholder('No instruction configured for this agent.');
  if (instruction === undefined) return placeholder('Instruction not found.');
  if (instruction.status !== 'active') return placeholder('The instruction of this agent is inactive.');
  const { _id, systemPrompt, guidelines } = instruction;
  return { id: _id, systemPrompt, guidelines };
}

function placeholder(systemPrompt: string): InstructionDetail {
  return { id: '', systemPrompt, guidelines: [] };
}
