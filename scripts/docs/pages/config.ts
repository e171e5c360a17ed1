import { code, page, table } from './markdown';

export interface Setting {
  name: string;
  /** As `.env.example` writes it; empty where the variable is unset by default. */
  fallback: string;
  meaning: string;
}

export interface SettingsGroup {
  title: string;
  settings: Setting[];
}

const TITLE = /^## (.+)$/;
const SETTING = /^# ?([A-Z][A-Z0-9_]*)=(.*)$/;
const COMMENT = /^# (.*)$/;
/** A longer default would make its column wider than a screen. */
const LONGEST_DEFAULT = 40;

/** Reads `.env.example`: the comment above a variable is its meaning. Throws where one has none. */
export function parseSettings(text: string): SettingsGroup[] {
  const groups: SettingsGroup[] = [];
  let comment: string[] = [];
  for (const line of text.split('\n')) {
    const title = TITLE.exec(line)?.[1];
    const [, name, fallback = ''] = SETTING.exec(line) ?? [];
    if (title !== undefined) groups.push({ title, settings: [] });
    else if (name !== undefined) {
      if (comment.length === 0) throw new Error(`.env.example does not say what ${name} means`);
      groups.at(-1)?.settings.push({ name, fallback, meaning: comment.join(' ') });
    } else if (COMMENT.test(line)) {
      comment.push(COMMENT.exec(line)?.[1] ?? '');
      continue;
    }
    comment = [];
  }
  return groups;
}

/** docs/reference/config.md, from `.env.example`. */
export function configPage(envExample: string): string {
  const sections = parseSettings(envExample).map(({ title, settings }) =>
    page(`## ${title}`, table(['Variable', 'Default', 'Meaning'], settings.map(row))).trimEnd(),
  );
  return page(
    '# Configuration',
    'Written from `.env.example` by `npx tsx scripts/docs/main.ts`; edit that file, not this page.',
    [
      'The controller is configured by environment variables alone. It reads no file by itself; Node.js can:',
      '`node --env-file=.env dist/apps/controller/main.js`. Every variable has a working default, and an empty one counts as',
      'unset. A wrong value ends the start with exit code 2 and a message that names every wrong variable and what it would',
      'have caused. Durations end in `_MS` or `_SECONDS`, sizes in `_BYTES`.',
    ].join('\n'),
    ...sections,
  );
}

function row({ name, fallback, meaning }: Setting): string[] {
  if (fallback.length <= LONGEST_DEFAULT) return [code(name), code(fallback), meaning];
  const items = fallback.split(',').map(code).join(', ');
  return [code(name), 'see there', `${meaning} Default: ${items}.`];
}
