import { instructionDetail, instructionText } from './instruction-text';

describe('instructionText', () => {
  it('is the system prompt where there are no guidelines', () => {
    expect(instructionText({ systemPrompt: 'Be kind.', guidelines: [] })).toBe('Be kind.');
  });

  it('numbers the guidelines, each with its line end', () => {
    expect(instructionText({ systemPrompt: 'Be kind.', guidelines: ['a', 'b'] })).toBe(
      'Be kind.\n\n## Guidelines\n1. a\n2. b\n',
    );
  });
});

describe('instructionDetail', () => {
  const instruction = { _id: 'i', status: 'active', systemPrompt: 'Be kind.', guidelines: ['a'] };

  it('is the instruction, and nothing more of it', () => {
    const detail = { id: 'i', systemPrompt: 'Be kind.', guidelines: ['a'] };
    expect(instructionDetail('i', { ...instruction, ...{ name: 'n' } })).toEqual(detail);
  });

  it.each([
    ['No instruction configured for this agent.', undefined, undefined],
    ['Instruction not found.', 'i', undefined],
    ['The instruction of this agent is inactive.', 'i', { ...instruction, status: 'inactive' }],
  ])('says in words: %s', (text, id, stored) => {
    const detail = instructionDetail(id, stored);
    expect(detail).toEqual({ id: '', systemPrompt: text, guidelines: [] });
    expect(instructionText(detail)).toBe(text);
  });
});
