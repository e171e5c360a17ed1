import { type FieldIssue } from '@reins/shared/errors';

/**
 * Where each variable of an agent's `.env` comes from: the flat key of the settings, then the nested one of earlier
 * clients. Empty values count as absent.
 */
const SOURCES = {
  CLAUDE_MODEL: ['claude_model', 'claudeModel'],
  CLAUDE_MAX_TURNS: ['claude_maxTurns', 'maxTurns'],
  CLAUDE_PERMISSION_MODE: ['claude_permissionMode', 'permissionMode'],
  CLAUDE_RESUME: ['claude_resume', 'resume'],
  CLAUDE_CODE_OAUTH_TOKEN: ['claude_oauthToken', 'claudeOAuthToken'],
  DISCORD_TOKEN: ['discord_token', 'discord.token'],
  DISCORD_CHANNEL_ID: ['discord_channelIds', 'discord.channelIds'],
  DISCORD_BOT_ID: ['discord_botId', 'discord.botId'],
  TELEGRAM_BOT_TOKEN: ['telegram_token', 'telegram.token'],
  TELEGRAM_GROUP_ID: ['telegram_groupIds', 'telegram.groupIds'],
  TELEGRAM_BOT_USERNAME: ['telegram_botUsername', 'telegram.botUsername'],
} as const;

export type EnvVariable = keyof typeof SOURCES;
type Settings = Record<string, unknown>;

/** The value of a variable as text, lists joined by commas; undefined where the settings do not say. */
export function envSetting(settings: Settings, variable: EnvVariable): string | undefined {
  for (const path of SOURCES[variable]) {
    const value = at(settings, path);
    const text = Array.isArray(value)
      ? value.filter(isScalar).map(String).join(',')
      : isScalar(value)
        ? String(value)
        : '';
    if (text !== '') return text;
  }
  return undefined;
}

/** The flat key decides where it is there; the nested one resumes unless it is false. */
export function resumes(settings: Settings): boolean {
  const flat = settings.claude_resume;
  return flat === undefined || flat === null ? settings.resume !== false : flat !== false && flat !== 'false';
}

/** What is wrong with the settings that become variables: lines of a `.env` cannot hold every value. */
export function envSettingIssues(settings: Settings): FieldIssue[] {
  const issues: FieldIssue[] = [];
  for (const path of Object.values(SOURCES).flat()) {
    const value = at(settings, path);
    if (value === undefined || value === null) continue;
    const items: unknown[] = Array.isArray(value) ? value : [value];
    const problem = items.every(isScalar)
      ? items.some((item) => !fitsOnALine(String(item))) && 'must not contain line breaks or control characters'
      : 'must be a text, a number, a boolean or a list of them';
    if (problem !== false) issues.push({ path: `settings.${path}`, message: problem, code: 'invalid_setting' });
  }
  return issues;
}

export function fitsOnALine(text: string): boolean {
  return !/[\p{Cc}\u2028\u2029]/u.test(text);
}

function at(settings: Settings, path: string): unknown {
  const [first = '', second] = path.split('.');
  const outer = settings[first];
  if (second === undefined) return outer;
  return typeof outer === 'object' && outer !== null ? (outer as Settings)[second] : undefined;
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
