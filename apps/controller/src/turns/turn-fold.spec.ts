import { TurnFold } from './turn-fold';

const end = { status: 'complete' as const, stopReason: 'end_turn', artifacts: [] };

function folded(...events: [string, object][]): TurnFold {
  const fold = new TurnFold();
  for (const [type, data] of events) fold.apply(type, data);
  return fold;
}

describe('TurnFold', () => {
  it('answers with what the agent said after its last tool', () => {
    const fold = folded(
      ['text', { text: 'Let me ' }],
      ['text', { text: 'look.' }],
      ['tool_call', { id: '1', name: 'Bash', input: {} }],
      ['tool_result', { id: '1', output: 'x', isError: false }],
      ['text', { text: 'Found ' }],
      ['text', { text: 'it.' }],
    );
    expect(fold.response).toBe('Found it.');
  });

  it('falls back to the words before the tool where none came after', () => {
    expect(folded(['text', { text: 'Working on it' }], ['tool_call', { id: '1', name: 'x', input: {} }]).response).toBe(
      'Working on it',
    );
  });

  it('answers a script with its console lines and then its value', () => {
    const fold = folded(
      ['console', { level: 'log', text: 'a' }],
      ['console', { level: 'warn', text: 'b' }],
      ['value', { text: '3' }],
    );
    expect(fold.response).toBe('a\nb\n3');
  });

  it('joins a line that came in several events, and leaves an undefined value out', () => {
    const part = (text: string, continues?: boolean): [string, object] => [
      'console',
      { level: 'log', text, continues },
    ];
    const fold = folded(part('one ', true), part('line', false), part('next'), [
      'value',
      { text: '', type: 'undefined' },
    ]);
    expect(fold.response).toBe('one line\nnext');
  });

  it('adds usage up unless the last words carry the sum', () => {
    const fold = folded(
      ['usage', { tokensIn: 1, tokensOut: 2 }],
      ['usage', { tokensIn: 10, tokensOut: 20, costUsd: 0.5 }],
    );
    expect(fold.result(end)).toMatchObject({ tokensIn: 11, tokensOut: 22, costUsd: 0.5 });
    expect(fold.result({ ...end, usage: { tokensIn: 7, tokensOut: 8 } })).toMatchObject({ tokensIn: 7, tokensOut: 8 });
  });

  it('names the exception as the error', () => {
    const fold = folded(['exception', { name: 'TypeError', message: 'x is not a function' }]);
    expect(fold.result({ ...end, status: 'failed' }).error).toEqual({ message: 'TypeError: x is not a function' });
  });

  it('looks ahead without changing itself', () => {
    const fold = folded(['text', { text: 'a' }], ['console', { level: 'log', text: '1' }]);
    expect(
      fold.with([
        { type: 'text', data: { text: 'b' } },
        { type: 'console', data: { text: '2' } },
      ]).response,
    ).toBe('ab\n1\n2');
    expect(fold.response).toBe('a\n1');
  });

  it('uses the preview of text that was too long for the link', () => {
    expect(folded(['value', { preview: 'long…', sizeBytes: 1e6, sha256: 'x', blobId: 'b' }]).response).toBe('long…');
  });
});
