/** The platforms an agent can be reached on. */
export const BRIDGE_NAMES = ['discord', 'telegram'] as const;
export type BridgeName = (typeof BRIDGE_NAMES)[number];

interface Common {
  token: string;
  /** Another address of the platform's API, for proxies and tests; without a slash at its end. */
  apiUrl?: string;
}

export interface DiscordConfig extends Common {
  channelIds: readonly string[];
  botId?: string;
  /** `mentions`: only messages that name the bot. */
  respondTo: 'all' | 'mentions';
}

export interface TelegramConfig extends Common {
  groupIds: readonly string[];
  /** Without the `@`. */
  botUsername?: string;
}

export interface BridgeConfigs {
  discord: DiscordConfig;
  telegram: TelegramConfig;
}

/** Where on the platform something is said: a channel or group, and the topic in it where the platform names both. */
export interface Place {
  channel: string;
  thread?: string;
}

/** A message a bridge may answer: of a listed place, of a person, with the mention of the bot taken out. */
export interface BridgeMessage {
  id: string;
  place: Place;
  text: string;
  /** Files, pictures, stickers and the like, which no agent is given. */
  attachments: number;
}

export interface BridgeEvents {
  onMessage(message: BridgeMessage): void;
  /** The connection is gone and the bridge itself tries to get it back; `onRunning` follows, or `onLost`. */
  onWaiting(reason: string): void;
  onRunning(): void;
  /** It will not come back by itself: to be stopped and, where it is worth it, made anew. */
  onLost(error: Error): void;
  log(level: 'debug' | 'info' | 'warn', message: string): void;
}

/** The connection to one platform as one bot. Used once: after `stop` or a failed `start` another one is made. */
export interface Bridge {
  /** Resolves when messages are received. Rejects with BridgeRefused, or with anything else where trying again may help. */
  start(events: BridgeEvents): Promise<void>;
  /** Says a text no longer than the platform takes. Rejects with BridgeRefused where saying it again is of no use. */
  send(place: Place, text: string, replyTo?: string): Promise<void>;
  /** Shows for a few seconds that an answer is being written. */
  typing(place: Place): Promise<void>;
  /** Never rejects; nothing is received afterwards. */
  stop(): Promise<void>;
}

/** Makes the bridge of a platform; the platform's library is loaded only when it starts. */
export type BridgeFactory = <N extends BridgeName>(name: N, config: BridgeConfigs[N]) => Bridge;

/** The platform says no, and would say it again: a wrong token, a missing permission. The message names what to do. */
export class BridgeRefused extends Error {
  override readonly name = 'BridgeRefused';
}

/** Longest text one message of the platform takes, in UTF-16 units. */
export const MESSAGE_LIMITS: Readonly<Record<BridgeName, number>> = { discord: 2000, telegram: 4096 };
