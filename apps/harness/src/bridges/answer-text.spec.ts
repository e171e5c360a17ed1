import { AnswerText } from './answer-text';

describe('AnswerText', () => {
  const answer = (): AnswerText => new AnswerText(() => undefined);

  it('is what the agent said after its last tool, or before it where nothing came after', async () => {
    const said = answer();
    await said.emit('text', { text: 'Let me look.' });
    await said.emit('tool_call', { id: '1', name: 'Bash', input: {} });
    await said.emit('tool_result', { id: '1', output: 'secret', isError: false });
    expect(said.text).toBe('Let me look.');
    await said.emit('thinking', { text: 'hm' });
    await said.emit('text', { text: 'Found ' });
    await said.emit('text', { text: 'it.' });
    expect(said.text).toBe('Found it.');
  });

  it('is the console lines and the value of a script, never what went to its error output', async () => {
    const said = answer();
    await said.emit('console', { level: 'log', text: 'one ', continues: true });
    await said.emit('console', { level: 'log', text: 'line' });
    await said.emit('stderr', { text: 'internals' });
    await said.emit('value', { text: '3' });
    expect(said.text).toBe('one line\n3\n');
  });

  it('does not grow without end', async () => {
    const said = answer();
    for (let i = 0; i < 100; i++) await said.emit('text', { text: 'x'.repeat(10_000) });
    expect(said.text.length).toBeLessThan(300_000);
  });
});
