import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

/*
 * Stands in for somebody else's service: Telegram's Bot API, as far as a bot that answers in groups by long polling uses
 * it. Written from Telegram's public documentation; it never leaves this machine.
 */

export const TELEGRAM_TOKEN = '123456789:telegram-token-of-the-stand-in';
export const GROUP = '-1001234567890';
export const OTHER_GROUP = '-1009999999999';

const ME = { id: 42, is_bot: true, first_name: 'Helper', username: 'helper_bot' };
const PERSON = { id: 7, is_bot: false, first_name: 'Ada' };

export interface Sent {
  chat_id: string;
  text: string;
  message_thread_id?: number;
  parse_mode?: string;
  reply_parameters?: { message_id: number };
}

interface Waiting {
  answer: (updates: object[]) => void;
  /** Telegram tells one program at a time: the one that asked last. */
  conflict: () => void;
}

export class TelegramStandIn {
  readonly sent: Sent[] = [];
  readonly typed: string[] = [];
  readonly calls: string[] = [];
  webhook: string | undefined = 'https://example.invalid/earlier';
  token = TELEGRAM_TOKEN;
  /** The next calls of a method answer with this instead. */
  readonly refuse: { method: string; status: number; description: string; parameters?: object }[] = [];
  private updates: { update_id: number }[] = [];
  private lastUpdate = 1000;
  private lastMessage = 0;
  private waiting: Waiting | undefined;

  private constructor(private readonly http: Server) {}

  static async start(): Promise<TelegramStandIn> {
    const http = createServer((request, response) => void standIn.serve(request, response));
    const standIn = new TelegramStandIn(http);
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  /** For TELEGRAM_API_ROOT. */
  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  get texts(): string[] {
    return this.sent.map(({ text }) => text);
  }

  /** Updates nobody has confirmed. */
  get pending(): number {
    return this.updates.length;
  }

  get isPolled(): boolean {
    return this.waiting !== undefined;
  }

  /** Somebody writes a message; answers its id. `more` is laid over Telegram's message object. */
  say(text: string | undefined, group = GROUP, more: object = {}): number {
    const message_id = ++this.lastMessage;
    const chat = { id: Number(group), type: 'supergroup', title: 'a group' };
    const message = { message_id, date: 0, chat, from: PERSON, ...(text !== undefined && { text }), ...more };
    this.updates.push({ update_id: ++this.lastUpdate, ...{ message } });
    this.deliver();
    return message_id;
  }

  /** Cuts every connection without a word. */
  drop(): void {
    this.waiting = undefined;
    this.http.closeAllConnections();
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.http.close(resolve));
    this.drop();
    await closed;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const [, token, method = ''] = /^\/bot([^/]+)\/(\w+)$/.exec(request.url ?? '') ?? [];
    const body = Buffer.concat(chunks).toString('utf8');
    const payload = (body === '' ? {} : JSON.parse(body)) as Record<string, unknown>;
    this.calls.push(method);
    const answer = (status: number, content: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(content));
    };
    const refused = (error_code: number, description: string, parameters?: object): void =>
      answer(error_code, { ok: false, error_code, description, ...(parameters && { parameters }) });
    if (token !== this.token) return refused(401, 'Unauthorized');
    const refusal = this.refuse.find((one) => one.method === method);
    if (refusal !== undefined) {
      this.refuse.splice(this.refuse.indexOf(refusal), 1);
      return refused(refusal.status, refusal.description, refusal.parameters);
    }
    const ok = (result: unknown): void => answer(200, { ok: true, result });
    switch (method) {
      case 'getMe':
        return ok(ME);
      case 'deleteWebhook':
        this.webhook = undefined;
        return ok(true);
      case 'getUpdates':
        if (this.webhook !== undefined) return refused(409, 'Conflict: a webhook is set');
        return this.poll(payload, response, ok, () => refused(409, 'Conflict: terminated by other getUpdates request'));
      case 'sendChatAction':
        this.typed.push(String(payload['chat_id']));
        return ok(true);
      case 'sendMessage': {
        const sent = payload as unknown as Sent;
        if (sent.text === '' || sent.text.length > 4096) return refused(400, 'Bad Request: message is too long');
        this.sent.push(sent);
        return ok({ message_id: ++this.lastMessage, date: 0, chat: { id: Number(sent.chat_id), type: 'supergroup' } });
      }
      default:
        return refused(404, 'Not Found');
    }
  }

  /** Asking confirms everything before the offset, and is held while there is nothing to tell. */
  private poll(
    payload: Record<string, unknown>,
    response: ServerResponse,
    ok: (result: unknown) => void,
    conflict: () => void,
  ): void {
    const offset = Number(payload['offset'] ?? 0);
    this.updates = this.updates.filter(({ update_id }) => update_id >= offset);
    if (this.updates.length > 0 || Number(payload['timeout'] ?? 0) === 0) return ok(this.updates);
    this.waiting?.conflict();
    const waiting: Waiting = { answer: ok, conflict };
    this.waiting = waiting;
    response.on('close', () => {
      if (this.waiting === waiting) this.waiting = undefined;
    });
  }

  private deliver(): void {
    const { waiting } = this;
    if (waiting === undefined) return;
    this.waiting = undefined;
    waiting.answer(this.updates);
  }
}
