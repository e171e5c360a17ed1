import { StderrTail } from './stderr-tail';

describe('StderrTail', () => {
  it('keeps the end, without the secrets of the environment or what looks like one', () => {
    const tail = new StderrTail({ ANTHROPIC_API_KEY: 'very-secret-value', PATH: '/usr/bin' });
    tail.push('x'.repeat(10_000));
    tail.push(' key very-secret-value sk-ant-0123456789 /usr/bin end\n');
    const text = tail.read() ?? '';
    expect(text.length).toBeLessThanOrEqual(4096);
    expect(text).toContain('/usr/bin end');
    expect(text).not.toMatch(/very-secret|sk-ant/);
  });

  it('is undefined when nothing was written', () => {
    expect(new StderrTail({}).read()).toBeUndefined();
  });
});
