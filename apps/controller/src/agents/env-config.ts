import { type EnvVariable, envSetting, fitsOnALine, resumes } from './env-settings';

export interface EnvConfigInput {
  /** Where the agent reaches the controller. */
  baseUrl: string;
  agentId: string;
  secret: string;
  name: string;
  settings: Record<string, unknown>;
}

const PLAIN = /^[A-Za-z0-9_./:@,+=-]*$/;

/**
 * A value as the right side of a line of a `.env`, safe to be read by dotenv and sourced by a shell alike: plain ones as
 * they are, others in double quotes. Throws on line breaks, which creating and updating an agent already refuse.
 */
export function envValue(value: string): string {
  if (!fitsOnALine(value)) throw new Error('a value of a .env file must not contain line breaks');
  return PLAIN.test(value) ? value : `"${value.replace(/[\\"$`]/g, '\\$&')}"`;
}

/** The `.env` of an autonomous agent, in AIWM's layout. */
export function envConfig({ baseUrl, agentId, secret, name, settings }: EnvConfigInput): string {
  const setting = (variable: EnvVariable, fallback?: string): string[] => {
    const value = envSetting(settings, variable) ?? fallback;
    return value === undefined ? [] : [`${variable}=${envValue(value)}`];
  };
  const platform = (variables: EnvVariable[], example: string[]): string[] => {
    const lines = variables.flatMap((variable) => setting(variable));
    return lines.length > 0 ? lines : example.map((line) => `# ${line}`);
  };
  const lines = [
    '# ===== AIWM Integration =====',
    'AIWM_ENABLED=true',
    `AIWM_BASE_URL=${envValue(baseUrl)}`,
    `AIWM_AGENT_ID=${envValue(agentId)}`,
    `AIWM_AGENT_SECRET=${envValue(secret)}`,
    '',
    '# ===== Agent Info =====',
    `AGENT_NAME=${envValue(name)}`,
    '',
    '# ===== Claude Code SDK Configuration =====',
    ...setting('CLAUDE_MODEL', 'claude-3-5-haiku-latest'),
    ...setting('CLAUDE_MAX_TURNS', '100'),
    ...setting('CLAUDE_PERMISSION_MODE', 'bypassPermissions'),
    `CLAUDE_RESUME=${resumes(settings)}`,
    ...setting('CLAUDE_CODE_OAUTH_TOKEN'),
    '',
    '# ===== Platform Configuration (Optional) =====',
    '# Configure your platform settings here',
    ...platform(
      ['DISCORD_TOKEN', 'DISCORD_CHANNEL_ID', 'DISCORD_BOT_ID'],
      ['DISCORD_TOKEN=your_discord_token', 'DISCORD_CHANNEL_ID=your_channel_id'],
    ),
    ...platform(
      ['TELEGRAM_BOT_TOKEN', 'TELEGRAM_GROUP_ID', 'TELEGRAM_BOT_USERNAME'],
      ['TELEGRAM_BOT_TOKEN=your_telegram_token', 'TELEGRAM_GROUP_ID=your_group_id'],
    ),
  ];
  return `${lines.join('\n')}\n`;
}
