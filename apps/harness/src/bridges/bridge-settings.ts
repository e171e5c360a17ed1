import { type BridgeConfigs, type BridgeName } from './bridge.port';

type Values = Readonly<Record<string, unknown>>;
type Environment = Readonly<Record<string, string>>;

/**
 * What the settings and the environment say of each platform; undefined where it has no token. The flat key wins, then
 * the nested one, then the variable. Lists may be arrays or texts with commas.
 */
export function bridgeConfigs(settings: Values, env: Environment): Partial<BridgeConfigs> {
  const discord = reader('discord', settings, env);
  const telegram = reader('telegram', settings, env);
  const discordToken = text(discord('token', 'DISCORD_TOKEN'));
  const telegramToken = text(telegram('token', 'TELEGRAM_BOT_TOKEN'));
  const botId = text(discord('botId', 'DISCORD_BOT_ID'));
  const botUsername = text(telegram('botUsername', 'TELEGRAM_BOT_USERNAME'))?.replace(/^@/, '');
  return {
    ...(discordToken !== undefined && {
      discord: {
        token: discordToken,
        channelIds: list(discord('channelIds', 'DISCORD_CHANNEL_ID')),
        respondTo: discord('respondTo', 'DISCORD_RESPOND_TO') === 'mentions' ? 'mentions' : 'all',
        ...(botId !== undefined && { botId }),
        ...address(env['DISCORD_API_URL']),
      },
    }),
    ...(telegramToken !== undefined && {
      telegram: {
        token: telegramToken,
        groupIds: list(telegram('groupIds', 'TELEGRAM_GROUP_ID')),
        ...(botUsername !== undefined && { botUsername }),
        ...address(env['TELEGRAM_API_ROOT']),
      },
    }),
  };
}

/** The places a bridge may answer in. */
export function listedPlaces<N extends BridgeName>(config: BridgeConfigs[N]): readonly string[] {
  return 'channelIds' in config ? config.channelIds : config.groupIds;
}

/** The settings an agent is started with: what belongs to the bridges, their tokens above all, is none of its business. */
export function withoutBridges(settings: Values): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([key]) => !/^(discord|telegram)(_|$)/.test(key)));
}

function reader(platform: BridgeName, settings: Values, env: Environment) {
  const nested = settings[platform];
  const inner: Values = typeof nested === 'object' && nested !== null ? (nested as Values) : {};
  return (key: string, variable: string): unknown =>
    [settings[`${platform}_${key}`], inner[key], env[variable]].find(isSet);
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);
}

function text(value: unknown): string | undefined {
  return (typeof value === 'string' || typeof value === 'number') && String(value).trim() !== ''
    ? String(value).trim()
    : undefined;
}

function list(value: unknown): string[] {
  const items: unknown[] = Array.isArray(value) ? value : String(text(value) ?? '').split(',');
  return [...new Set(items.flatMap((item) => text(item) ?? []))];
}

function address(value: string | undefined): { apiUrl?: string } {
  return isSet(value) ? { apiUrl: String(value).replace(/\/+$/, '') } : {};
}
