import { type Bridge, type BridgeConfigs, type BridgeName } from './bridge.port';

const BRIDGES: { readonly [N in BridgeName]: (config: BridgeConfigs[N]) => Promise<Bridge> } = {
  discord: async (config) => new (await import('./discord/discord.bridge')).DiscordBridge(config),
  telegram: async (config) => new (await import('./telegram/telegram.bridge')).TelegramBridge(config),
};

/** Loads the platform's library, which takes most of a second, and makes its bridge. */
export function loadBridge<N extends BridgeName>(name: N, config: BridgeConfigs[N]): Promise<Bridge> {
  return BRIDGES[name](config);
}
