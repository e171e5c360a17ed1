import { nameFromTemplate } from './agent-name';

describe('nameFromTemplate', () => {
  it.each([
    ['{host}-{n}', 'node-1', 3, 'node-1-3'],
    ['fixed', 'node-1', 3, 'fixed'],
    ['{n}/{n} {host}{host}', 'a', 1, '1/1 aa'],
    ['{host}', undefined, 1, 'agent'],
    ['{host}', '', 1, 'agent'],
    ['{host}', '  ', 2, 'agent-2'],
    ['{host}-{n}', '{n}{host}', 7, '{n}{host}-7'],
    ['{host}', '$& $1 $(id)', 1, '$& $1 $(id)'],
  ])('%j of %j and %j is %j', (template, host, n, name) => {
    expect(nameFromTemplate(template, { host, n })).toBe(name);
  });

  it('cuts what is too long and keeps the number', () => {
    const name = nameFromTemplate('{host}', { host: 'h'.repeat(253), n: 42 });
    expect(name).toHaveLength(100);
    expect(name.endsWith('h-42')).toBe(true);
  });
});
