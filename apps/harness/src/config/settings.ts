type Settings = Readonly<Record<string, unknown>>;
type Environment = Readonly<Record<string, string>>;

/** Where a setting comes from: at the controller (newest name first, a dot for a nested one), then in the environment. */
interface SettingSource {
  keys: readonly string[];
  variable: string;
  fallback: string | number | boolean | undefined;
  /** Undefined where the value is none: the next source counts. */
  parse: (value: unknown) => unknown;
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value).trim() || undefined : undefined;
const asIs = (value: unknown): unknown => value;
const count = (value: unknown): unknown =>
  typeof value === 'string' ? (/^\d+$/.test(value) ? Number(value) : undefined) : value;
const flag = (value: unknown): unknown => (typeof value === 'string' ? !/^(false|0|no|off)$/i.test(value) : value);
/** A list, or one text of the same separated by commas. */
const list = (value: unknown): string[] | undefined => {
  const items: unknown[] = Array.isArray(value) ? value : (text(value)?.split(',') ?? []);
  const texts = items.map(text).filter((item) => item !== undefined);
  return texts.length === 0 ? undefined : texts;
};

const source = (
  keys: readonly string[],
  variable: string,
  parse: SettingSource['parse'],
  fallback?: SettingSource['fallback'],
): SettingSource => ({ keys, variable, parse, fallback });

/** The settings drivers read, by the one name they read them under. */
const SETTING_SOURCES: Readonly<Record<string, SettingSource>> = {
  claude_model: source(['claude_model', 'claudeModel'], 'CLAUDE_MODEL', asIs),
  claude_maxTurns: source(['claude_maxTurns', 'maxTurns'], 'CLAUDE_MAX_TURNS', count, 100),
  claude_permissionMode: source(
    ['claude_permissionMode', 'permissionMode'],
    'CLAUDE_PERMISSION_MODE',
    asIs,
    'bypassPermissions',
  ),
  claude_resume: source(['claude_resume', 'resume'], 'CLAUDE_RESUME', flag, true),
  claude_oauthToken: source(['claude_oauthToken', 'claudeOAuthToken'], 'CLAUDE_CODE_OAUTH_TOKEN', asIs),
};

/** The settings of the chat platforms: one object for each, with these fields. */
const PLATFORM_SOURCES: Readonly<Record<string, Readonly<Record<string, SettingSource>>>> = {
  discord: {
    token: source(['discord_token', 'discord.token'], 'DISCORD_TOKEN', text),
    channelIds: source(['discord_channelIds', 'discord.channelIds'], 'DISCORD_CHANNEL_ID', list),
    botId: source(['discord_botId', 'discord.botId'], 'DISCORD_BOT_ID', text),
  },
  telegram: {
    token: source(['telegram_token', 'telegram.token'], 'TELEGRAM_BOT_TOKEN', text),
    groupIds: source(['telegram_groupIds', 'telegram.groupIds'], 'TELEGRAM_GROUP_ID', list),
    botUsername: source(['telegram_botUsername', 'telegram.botUsername'], 'TELEGRAM_BOT_USERNAME', text),
  },
};

/**
 * Settings by precedence: what the controller says, else the environment, else the default. Platforms get one form,
 * `discord {token?, channelIds[], botId?}` and `telegram {token?, groupIds[], botUsername?}`, and are absent where nothing
 * names them. Every further key of the controller is passed on as it is. A value that is spelled wrongly counts as not
 * set.
 */
export function mergeSettings(controller: Settings, env: Environment): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...controller };
  for (const [name, one] of Object.entries(SETTING_SOURCES)) {
    const value = valueOf(one, controller, env);
    if (value !== undefined) merged[name] = value;
  }
  for (const [name, fields] of Object.entries(PLATFORM_SOURCES)) {
    const given = Object.entries(fields).flatMap(([field, one]) => {
      const value = valueOf(one, controller, env);
      return value === undefined ? [] : [[field, value] as const];
    });
    const further = objectAt(controller, name);
    if (further === undefined && given.length === 0) continue;
    const lists = Object.keys(fields).filter((field) => fields[field]?.parse === list);
    const none = Object.fromEntries(lists.map((field) => [field, []]));
    merged[name] = { ...further, ...none, ...Object.fromEntries(given) };
  }
  return merged;
}

function valueOf({ keys, variable, parse, fallback }: SettingSource, controller: Settings, env: Environment): unknown {
  for (const value of [...keys.map((key) => at(controller, key)), env[variable]]) {
    const parsed = isSet(value) ? parse(value) : undefined;
    if (parsed !== undefined) return parsed;
  }
  return fallback;
}

function at(settings: Settings, key: string): unknown {
  const [first = '', second] = key.split('.');
  return second === undefined ? settings[first] : objectAt(settings, first)?.[second];
}

function objectAt(settings: Settings, key: string): Settings | undefined {
  const value = settings[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Settings) : undefined;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}
