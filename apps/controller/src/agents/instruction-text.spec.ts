import { instructionText, placeholderInstruction } from './instruction-text';

describe('instructionText', () => {
  it('is the system prompt where there are no guidelines', () => {
    expect(instructionText({ systemPrompt: 'Be kind.', guidelines: [] })).toBe('Be kind.');
  });

  it('numbers the guidelines, each with its line end', () => {
    expect(instructionText({ systemPrompt: 'Be kind.', guidelines: ['a', 'b'] })).toBe(
      'Be kind.\n\n## Guidelines\n1. a\n2. b\n',
    );
  });

  it('says in words when there is none', () => {
    expect(instructionText(placeholderInstruction(undefined))).toBe('No instruction configured for this agent.');
    expect(instructionText(placeholderInstruction('0'.repeat(24)))).toBe('Instruction not found.');
  });
});
