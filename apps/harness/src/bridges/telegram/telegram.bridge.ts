import { type Clock, systemClock } from '@reins/shared/util/clock';
import { Api, GrammyError, HttpError } from 'grammy';
import { type Message, type UserFromGetMe } from 'grammy/types';
import {
  type Bridge,
  type BridgeEvents,
  type BridgeMessage,
  BridgeRefused,
  type Place,
  type TelegramConfig,
} from '../bridge.port';

/** Telegram holds a request this long when there is nothing to tell. */
const HOLD_SECONDS = 30;
const CALL_SECONDS = 60;
const RETRY_MS = 1_000;
const RETRY_CAP_MS = 30_000;
const FAREWELL_MS = 2_000;
const RATE_LIMIT_ATTEMPTS = 3;
const LONGEST_RATE_LIMIT_SECONDS = 60;

type Signal = Parameters<Api['getMe']>[0];

/** One bot at Telegram: asks for messages by long polling. */
export class TelegramBridge implements Bridge {
  private readonly api: Api;
  private readonly over = new AbortController();
  private polling: Promise<void> = Promise.resolve();
  private me: UserFromGetMe | undefined;
  /** The first update that was not handed on yet. */
  private next = 0;

  constructor(
    private readonly config: TelegramConfig,
    private readonly clock: Clock = systemClock,
  ) {
    const { apiUrl } = config;
    this.api = new Api(config.token, {
      timeoutSeconds: CALL_SECONDS,
      ...(apiUrl !== undefined && { apiRoot: apiUrl }),
    });
    this.api.config.use(async (call, method, payload, signal) => {
      for (let attempt = 1; ; attempt++) {
        const answer = await call(method, payload, signal);
        const waitSeconds = answer.ok || answer.error_code !== 429 ? undefined : answer.parameters?.retry_after;
        if (waitSeconds === undefined || waitSeconds > LONGEST_RATE_LIMIT_SECONDS) return answer;
        if (attempt === RATE_LIMIT_ATTEMPTS) return answer;
        await this.clock.sleep(waitSeconds * 1000, this.over.signal);
      }
    });
  }

  async start(events: BridgeEvents): Promise<void> {
    try {
      this.me = await this.api.getMe(this.signal);
      // Telegram tells nothing to who asks while a webhook is set.
      await this.api.deleteWebhook({}, this.signal);
    } catch (error) {
      throw explained(error);
    }
    this.polling = this.poll(events);
  }

  async send(place: Place, text: string, replyTo?: string): Promise<void> {
    try {
      await this.api.sendMessage(
        place.channel,
        text,
        {
          ...topic(place),
          link_preview_options: { is_disabled: true },
          ...(replyTo !== undefined && {
            reply_parameters: { message_id: Number(replyTo), allow_sending_without_reply: true },
          }),
        },
        this.signal,
      );
    } catch (error) {
      if (error instanceof GrammyError && error.error_code < 500 && error.error_code !== 429) {
        throw new BridgeRefused(`Telegram does not take the message: ${error.description}`);
      }
      throw explained(error);
    }
  }

  async typing(place: Place): Promise<void> {
    await this.api.sendChatAction(place.channel, 'typing', topic(place), this.signal);
  }

  async stop(): Promise<void> {
    const wasPolling = !this.over.signal.aborted && this.next > 0;
    this.over.abort(new Error('the bridge is stopped'));
    await this.polling;
    // What was handed on is confirmed with the next question; without one it would come again after a restart.
    if (wasPolling) await this.confirm().catch(() => undefined);
  }

  private get signal(): Signal {
    // The library declares a signal type of its own; it uses the listener alone, which both have.
    return this.over.signal as unknown as Signal;
  }

  private async confirm(): Promise<void> {
    const signal = AbortSignal.timeout(FAREWELL_MS) as unknown as Signal;
    await this.api.getUpdates({ offset: this.next, limit: 1, timeout: 0 }, signal);
  }

  private async poll(events: BridgeEvents): Promise<void> {
    for (let failures = 0; !this.over.signal.aborted;) {
      try {
        const updates = await this.api.getUpdates(
          { offset: this.next, timeout: HOLD_SECONDS, allowed_updates: ['message'] },
          this.signal,
        );
        if (failures > 0) events.onRunning();
        failures = 0;
        for (const update of updates) {
          this.next = update.update_id + 1;
          if (update.message !== undefined) this.received(update.message, events);
        }
      } catch (error) {
        if (this.over.signal.aborted) return;
        const reason = explained(error);
        if (!isPassing(error)) return events.onLost(reason);
        events.onWaiting(reason.message);
        const waitMs = Math.min(RETRY_CAP_MS, RETRY_MS * 2 ** failures++);
        await this.clock.sleep(waitMs, this.over.signal).catch(() => undefined);
      }
    }
  }

  private received(message: Message, events: BridgeEvents): void {
    const { chat, from } = message;
    if (chat.type !== 'group' && chat.type !== 'supergroup') return;
    const channel = String(chat.id);
    if (!this.config.groupIds.includes(channel)) return;
    if (message.migrate_to_chat_id !== undefined) {
      events.log('warn', `the group ${channel} is now ${message.migrate_to_chat_id}: list the new id in the settings`);
    }
    if (from === undefined || from.is_bot) return;
    const text = this.withoutMention(message.text ?? message.caption ?? '').trim();
    const attachments = hasAttachment(message) ? 1 : 0;
    if (text === '' && attachments === 0) return;
    const thread = message.is_topic_message === true ? message.message_thread_id : undefined;
    const place: Place = { channel, ...(thread !== undefined && { thread: String(thread) }) };
    events.onMessage({ id: String(message.message_id), place, text, attachments } satisfies BridgeMessage);
  }

  private withoutMention(text: string): string {
    const names = [this.me?.username, this.config.botUsername].filter((name) => name !== undefined);
    const mention = names.map((name) => name.replace(/\W/g, '')).filter((name) => name !== '');
    return mention.length === 0 ? text : text.replace(new RegExp(`@(${mention.join('|')})\\b`, 'gi'), '');
  }
}

function topic({ thread }: Place): { message_thread_id?: number } {
  return thread === undefined ? {} : { message_thread_id: Number(thread) };
}

const ATTACHMENTS = [
  'animation',
  'audio',
  'contact',
  'document',
  'location',
  'photo',
  'poll',
  'sticker',
  'story',
  'video',
  'video_note',
  'voice',
] as const satisfies readonly (keyof Message)[];

function hasAttachment(message: Message): boolean {
  return ATTACHMENTS.some((kind) => message[kind] !== undefined);
}

/** Worth asking again on the same connection. */
function isPassing(error: unknown): boolean {
  if (error instanceof GrammyError) return error.error_code >= 500 || error.error_code === 429;
  return error instanceof HttpError;
}

function explained(error: unknown): Error {
  if (error instanceof GrammyError) {
    if (error.error_code === 401 || error.error_code === 404) {
      return new BridgeRefused("Telegram refuses the token: put the bot's present one into the settings");
    }
    if (error.error_code === 409) return new Error('another program receives the messages of this bot');
    return new Error(`Telegram: ${error.description} (${error.error_code})`);
  }
  if (error instanceof HttpError) {
    // The full message names the address, and with it the token.
    const { error: cause } = error;
    const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'no answer';
    return new Error(`Telegram cannot be reached (${code})`);
  }
  return error instanceof Error ? error : new Error(String(error));
}
