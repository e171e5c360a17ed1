/** What a setting is called at the controller (newest name first), in the environment, and what holds without both. */
interface SettingSource {
  keys: readonly string[];
  variable: string;
  fallback: string | number | boolean | undefined;
  parse: (text: string) => string | number | boolean | undefined;
}

const text = (value: string): string => value;
const count = (value: string): number | undefined => (/^\d+$/.test(value) ? Number(value) : undefined);
const flag = (value: string): boolean => !/^(false|0|no|off)$/i.test(value);

/** The settings drivers read, by the one name they read them under. */
const SETTING_SOURCES = {
  claude_model: { keys: ['claude_model', 'claudeModel'], variable: 'CLAUDE_MODEL', fallback: undefined, parse: text },
  claude_maxTurns: {
    keys: ['claude_maxTurns', 'maxTurns'],
    variable: 'CLAUDE_MAX_TURNS',
    fallback: 100,
    parse: count,
  },
  claude_permissionMode: {
    keys: ['claude_permissionMode', 'permissionMode'],
    variable: 'CLAUDE_PERMISSION_MODE',
    fallback: 'bypassPermissions',
    parse: text,
  },
  claude_resume: { keys: ['claude_resume', 'resume'], variable: 'CLAUDE_RESUME', fallback: true, parse: flag },
  claude_oauthToken: {
    keys: ['claude_oauthToken', 'claudeOAuthToken'],
    variable: 'CLAUDE_CODE_OAUTH_TOKEN',
    fallback: undefined,
    parse: text,
  },
} as const satisfies Record<string, SettingSource>;

/**
 * Settings by precedence: what the controller says, else the environment, else the default. Every further key of the
 * controller is passed on as it is. A value the environment spells wrongly counts as not set.
 */
export function mergeSettings(
  controller: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...controller };
  for (const [name, source] of Object.entries<SettingSource>(SETTING_SOURCES)) {
    const given = source.keys.map((key) => controller[key]).find(isSet);
    const variable = env[source.variable];
    const value = given ?? (isSet(variable) ? source.parse(variable) : undefined) ?? source.fallback;
    if (value !== undefined) merged[name] = value;
  }
  return merged;
}

function isSet<T>(value: T): value is NonNullable<T> {
  return value !== undefined && value !== null && value !== '';
}
