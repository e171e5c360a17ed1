import { z } from 'zod';
import { type BridgeConfigs, type BridgeName } from './bridge.port';

type Values = Readonly<Record<string, unknown>>;
type Environment = Readonly<Record<string, string>>;

const Discord = z.object({
  token: z.string().min(1),
  channelIds: z.array(z.string()),
  botId: z.string().optional(),
  respondTo: z.enum(['all', 'mentions']).optional().catch(undefined),
});

const Telegram = z.object({
  token: z.string().min(1),
  groupIds: z.array(z.string()),
  botUsername: z
    .string()
    .transform((name) => name.replace(/^@/, ''))
    .optional(),
});

/**
 * What the merged settings say of each platform; undefined where it has no token. Of the environment come the addresses,
 * `DISCORD_API_URL` and `TELEGRAM_API_ROOT`, and `DISCORD_RESPOND_TO` below the settings.
 */
export function bridgeConfigs(settings: Values, env: Environment): Partial<BridgeConfigs> {
  const discord = Discord.safeParse(settings['discord']).data;
  const telegram = Telegram.safeParse(settings['telegram']).data;
  const respondTo = [discord?.respondTo, settings['discord_respondTo'], env['DISCORD_RESPOND_TO']].find(Boolean);
  return {
    ...(discord && {
      discord: {
        ...discord,
        respondTo: respondTo === 'mentions' ? 'mentions' : 'all',
        ...address(env['DISCORD_API_URL']),
      },
    }),
    ...(telegram && { telegram: { ...telegram, ...address(env['TELEGRAM_API_ROOT']) } }),
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

function address(value: string | undefined): { apiUrl?: string } {
  return value === undefined || value === '' ? {} : { apiUrl: value.replace(/\/+$/, '') };
}
