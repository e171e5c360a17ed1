import {
  Client,
  type CloseEvent,
  DiscordAPIError,
  DiscordjsError,
  DiscordjsErrorCodes,
  Events,
  GatewayCloseCodes,
  GatewayIntentBits,
  type Message,
  Options,
  Routes,
} from 'discord.js';
import {
  type Bridge,
  type BridgeEvents,
  type BridgeMessage,
  BridgeRefused,
  type DiscordConfig,
  type Place,
} from '../bridge.port';

const REFUSED_TOKEN = "Discord refuses the token: put the bot's present one into the settings";
/** Why Discord lets a bot in no more, by the code it hangs up with. Anything else may be different a minute later. */
const REFUSALS: Readonly<Record<number, string>> = {
  [GatewayCloseCodes.AuthenticationFailed]: REFUSED_TOKEN,
  [GatewayCloseCodes.InvalidIntents]: 'Discord does not know what the bot wants to receive',
  [GatewayCloseCodes.DisallowedIntents]:
    'Discord does not let the bot read messages: switch on "Message Content Intent" in the developer portal',
  [GatewayCloseCodes.ShardingRequired]: 'Discord wants the bot split up: it is in too many servers',
};

/** One bot at Discord: listens at the gateway, speaks through the REST API, which the library keeps within its limits. */
export class DiscordBridge implements Bridge {
  private readonly client: Client;
  private events: BridgeEvents | undefined;

  constructor(private readonly config: DiscordConfig) {
    this.client = new Client({
      intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
      rest: config.apiUrl === undefined ? {} : { api: config.apiUrl },
      // Nothing is looked up later, so nothing needs to be kept.
      makeCache: Options.cacheWithLimits({
        ...Options.DefaultMakeCacheSettings,
        MessageManager: 0,
        GuildMemberManager: { maxSize: 100, keepOverLimit: ({ id, client }) => id === client.user.id },
        PresenceManager: 0,
        ReactionManager: 0,
        UserManager: { maxSize: 100, keepOverLimit: ({ id, client }) => id === client.user.id },
      }),
    });
  }

  async start(events: BridgeEvents): Promise<void> {
    this.events = events;
    const { client } = this;
    // Without a listener each of these would be thrown where nobody can catch it.
    client.on(Events.Error, ({ message }) => events.log('warn', `discord.js: ${message}`));
    client.on(Events.ShardError, ({ message }) => events.log('warn', `gateway: ${message}`));
    client.on(Events.Warn, (message) => events.log('warn', `discord.js: ${message}`));
    client.on(Events.ShardReconnecting, () => events.onWaiting('the connection to Discord is lost'));
    client.on(Events.ShardResume, () => events.onRunning());
    client.on(Events.ShardReady, () => events.onRunning());
    client.on(Events.ShardDisconnect, (close) => events.onLost(hungUp(close)));
    client.on(Events.Invalidated, () => events.onLost(new Error('Discord ended the session')));
    client.on(Events.MessageCreate, (message) => this.received(message));
    try {
      await client.login(this.config.token);
    } catch (error) {
      throw refusal(error);
    }
  }

  async send(place: Place, text: string, replyTo?: string): Promise<void> {
    const body = {
      content: text,
      // Whatever an agent writes, it alarms nobody.
      allowed_mentions: { parse: [], replied_user: false },
      ...(replyTo !== undefined && { message_reference: { message_id: replyTo, fail_if_not_exists: false } }),
    };
    await this.post(Routes.channelMessages(place.thread ?? place.channel), body);
  }

  async typing(place: Place): Promise<void> {
    await this.post(Routes.channelTyping(place.thread ?? place.channel));
  }

  async stop(): Promise<void> {
    await this.client.destroy();
  }

  private async post(route: `/${string}`, body?: object): Promise<void> {
    try {
      await this.client.rest.post(route, body === undefined ? {} : { body });
    } catch (error) {
      if (error instanceof DiscordAPIError && error.status >= 400 && error.status < 500) {
        throw new BridgeRefused(`Discord does not take the message: ${error.message} (${error.code})`);
      }
      throw error;
    }
  }

  private received(message: Message): void {
    const me = this.client.user;
    const { author, channel, mentions } = message;
    if (me === null || !message.inGuild() || message.system) return;
    if (author.bot || message.webhookId !== null || author.id === me.id || author.id === this.config.botId) return;
    const place = this.listed(channel.id, channel.isThread() ? channel.parentId : null);
    if (place === undefined) return;
    if (this.config.respondTo === 'mentions' && !mentions.users.has(me.id)) return;
    const text = message.content.replace(new RegExp(`<@!?${me.id}>`, 'g'), '').trim();
    const attachments = message.attachments.size + message.stickers.size;
    if (text === '' && attachments === 0) return;
    this.events?.onMessage({ id: message.id, place, text, attachments } satisfies BridgeMessage);
  }

  /** A thread belongs to a listed channel, or is listed itself. */
  private listed(channel: string, parent: string | null): Place | undefined {
    const { channelIds } = this.config;
    if (channelIds.includes(channel)) return { channel };
    return parent !== null && channelIds.includes(parent) ? { channel: parent, thread: channel } : undefined;
  }
}

function hungUp({ code }: CloseEvent): Error {
  const why = REFUSALS[code];
  return why === undefined ? new Error(`Discord ended the connection (${code})`) : new BridgeRefused(why);
}

function refusal(error: unknown): unknown {
  if (error instanceof DiscordjsError && error.code === DiscordjsErrorCodes.TokenInvalid) {
    return new BridgeRefused(REFUSED_TOKEN);
  }
  return error;
}
