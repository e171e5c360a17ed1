import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../apps/controller/src/config/config';
import { outdatedPages, ROOT } from './generated-pages';
import { configPage, parseSettings } from './pages/config';
import { errorsPage } from './pages/errors';
import { table } from './pages/markdown';

const envExample = readFileSync(join(ROOT, '.env.example'), 'utf8');
const settings = parseSettings(envExample).flatMap((group) => group.settings);

describe('docs/reference', () => {
  it('is up to date (else run: npx tsx scripts/docs/main.ts)', () => {
    expect(outdatedPages()).toEqual([]);
  });

  it('notices a change of its sources', () => {
    expect(configPage(envExample.replace('PORT=3305', 'PORT=3306'))).not.toBe(configPage(envExample));
    expect(errorsPage()).toContain('| `session_not_found`');
  });
});

describe('.env.example', () => {
  const { env } = loadConfig({}, () => 'unused');
  const defaults = Object.entries(env) as [string, string | number | readonly string[] | undefined][];
  const writtenDefault = (name: string): string | undefined => settings.find((s) => s.name === name)?.fallback;

  it.each(defaults)('names the real default of %s', (name, value) => {
    const text = typeof value === 'object' ? value.join(',') : String(value ?? '');
    // A path that differs from user to user is told in words.
    expect(writtenDefault(name)).toBe(text.startsWith(homedir()) ? '' : text);
  });

  it('has no value for what is unset by default', () => {
    const set = new Set(defaults.map(([name]) => name));
    expect(settings.filter(({ name, fallback }) => !set.has(name) && fallback !== '')).toEqual([]);
  });

  it('says of each variable what it means, in sentences', () => {
    for (const { meaning } of settings) expect(meaning).toMatch(/^\S.{20,}\.$/);
  });

  it('is refused when a variable has no comment', () => {
    expect(() => parseSettings('## Group\n\n# PORT=1\n')).toThrow('does not say what PORT means');
  });
});

describe('table', () => {
  it('aligns its columns and escapes what would break them', () => {
    expect(table(['A', 'B'], [['a|b', 'an <id> or `<id>`']]).split('\n')).toEqual([
      '| A    | B                    |',
      '| ---- | -------------------- |',
      '| a\\|b | an &lt;id> or `<id>` |',
    ]);
  });
});
