import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

/*
 * Stands in for somebody else's service: Discord's REST API and gateway, version 10, as far as a bot that listens in
 * channels uses them. Written from Discord's public documentation; it never leaves this machine.
 */

export const BOT_ID = '1000000000000000001';
export const GUILD_ID = '2000000000000000001';
export const TOKEN = 'discord-token-of-the-stand-in-bot';

const PERSON = { id: '3000000000000000001', username: 'ada', discriminator: '0', avatar: null, global_name: 'Ada' };
const BOT = { id: BOT_ID, username: 'helper', discriminator: '0', avatar: null, bot: true };

export interface Posted {
  channel: string;
  content: string;
  allowed_mentions: unknown;
  message_reference?: { message_id: string };
}

export interface Said {
  author?: 'person' | 'bot' | 'itself' | 'webhook';
  mentions?: boolean;
  attachments?: number;
}

interface Gateway {
  socket: WebSocket;
  identified: boolean;
}

/** A thread of a channel; ids of threads start with 7. */
const THREADS: Readonly<Record<string, string>> = { '7000000000000000001': '4000000000000000001' };
export const CHANNEL = '4000000000000000001';
export const OTHER_CHANNEL = '4000000000000000002';
export const THREAD = '7000000000000000001';

export class DiscordStandIn {
  readonly posted: Posted[] = [];
  readonly typed: string[] = [];
  readonly requests: string[] = [];
  identifies = 0;
  resumes = 0;
  /** The gateway hangs up on the next identify with this code. */
  refuseIdentify: number | undefined;
  /** The next posts of messages answer with this. */
  readonly refusePosts: { status: number; body: object; headers?: Record<string, string> }[] = [];
  token = TOKEN;
  private lastId = 5_000_000_000_000_000_000n;
  private sequence = 0;
  /** What was sent, for a connection that resumes. */
  private readonly sent: { s: number; t: string; d: object }[] = [];
  private gateways: Gateway[] = [];
  private isAway = false;

  private constructor(
    private readonly http: Server,
    private readonly webSockets: WebSocketServer,
  ) {}

  static async start(): Promise<DiscordStandIn> {
    const http = createServer((request, response) => void standIn.serve(request, response));
    const webSockets = new WebSocketServer({ server: http });
    const standIn = new DiscordStandIn(http, webSockets);
    webSockets.on('connection', (socket) => standIn.connected(socket));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  /** For DISCORD_API_URL. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/api`;
  }

  get contents(): string[] {
    return this.posted.map(({ content }) => content);
  }

  /** Somebody writes a message; answers its id. */
  say(content: string, channel = CHANNEL, { author = 'person', mentions, attachments = 0 }: Said = {}): string {
    const user =
      author === 'itself' ? BOT : author === 'bot' ? { ...PERSON, id: '3000000000000000009', bot: true } : PERSON;
    const message = this.message(channel, content, user);
    this.dispatch('MESSAGE_CREATE', {
      ...message,
      guild_id: GUILD_ID,
      ...(author === 'webhook' && { webhook_id: '6000000000000000001' }),
      mentions: mentions === true ? [BOT] : [],
      attachments: Array.from({ length: attachments }, (_, index) => ({
        id: `80000000000000000${index}`,
        filename: 'a.png',
        size: 1,
        url: 'http://127.0.0.1/a.png',
        proxy_url: 'http://127.0.0.1/a.png',
      })),
    });
    return message.id;
  }

  /** Cuts every connection without a word. */
  drop(): void {
    for (const { socket } of this.gateways.splice(0)) socket.terminate();
  }

  /** While away, nobody is let in. */
  away(isAway: boolean): void {
    this.isAway = isAway;
    if (isAway) this.drop();
  }

  /** Sends a frame that is not for this place: what a broken proxy might do. */
  sendRaw(data: string | Buffer): void {
    for (const { socket } of this.gateways) socket.send(data);
  }

  get connections(): number {
    return this.gateways.filter(({ identified }) => identified).length;
  }

  async stop(): Promise<void> {
    this.drop();
    this.webSockets.close();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  private get port(): number {
    return (this.http.address() as AddressInfo).port;
  }

  private message(channel: string, content: string, author: object) {
    return {
      id: String(++this.lastId),
      type: 0,
      channel_id: channel,
      content,
      author,
      timestamp: new Date().toISOString(),
      edited_timestamp: null,
      tts: false,
      mention_everyone: false,
      mentions: [] as object[],
      mention_roles: [],
      attachments: [] as object[],
      embeds: [],
      pinned: false,
    };
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = (request.url ?? '').replace(/^\/api\/v10/, '').replace(/\?.*/, '');
    const route = `${request.method} ${path}`;
    this.requests.push(route);
    const answer = (status: number, body?: object, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    if (this.isAway) return answer(503, { message: 'away' });
    if (request.headers.authorization !== `Bot ${this.token}`) {
      return answer(401, { message: '401: Unauthorized', code: 0 });
    }
    if (route === 'GET /gateway/bot') {
      const session_start_limit = { total: 1000, remaining: 1000, reset_after: 0, max_concurrency: 1 };
      return answer(200, { url: `ws://127.0.0.1:${this.port}`, shards: 1, session_start_limit });
    }
    if (route === 'GET /users/@me') return answer(200, BOT);
    const [, channel = '', what] = /^POST \/channels\/(\d+)\/(messages|typing)$/.exec(route) ?? [];
    if (what === 'typing') {
      this.typed.push(channel);
      return answer(204);
    }
    if (what !== 'messages') return answer(404, { message: '404: Not Found', code: 0 });
    const refusal = this.refusePosts.shift();
    if (refusal !== undefined) return answer(refusal.status, refusal.body, refusal.headers);
    const posted = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Omit<Posted, 'channel'>;
    if (posted.content.length === 0 || posted.content.length > 2000) {
      return answer(400, { message: 'Invalid Form Body', code: 50035 });
    }
    this.posted.push({ ...posted, channel });
    const message = this.message(channel, posted.content, BOT);
    answer(200, message);
    // Who speaks hears it too.
    this.dispatch('MESSAGE_CREATE', { ...message, guild_id: GUILD_ID });
  }

  private connected(socket: WebSocket): void {
    if (this.isAway) return socket.terminate();
    const gateway: Gateway = { socket, identified: false };
    this.gateways.push(gateway);
    socket.on('close', () => (this.gateways = this.gateways.filter((other) => other !== gateway)));
    socket.on('error', () => socket.terminate());
    socket.on('message', (data: Buffer) => {
      const { op, d } = JSON.parse(data.toString('utf8')) as { op: number; d: { token?: string; seq?: number } | null };
      if (op === 1) return socket.send(JSON.stringify({ op: 11 }));
      if (op === 2) return this.identify(gateway, d?.token);
      if (op === 6) return this.resume(gateway, d?.seq ?? 0);
    });
    socket.send(JSON.stringify({ op: 10, d: { heartbeat_interval: 200 } }));
  }

  private identify(gateway: Gateway, token: string | undefined): void {
    this.identifies++;
    const refusal = token === this.token ? this.refuseIdentify : 4004;
    if (refusal !== undefined) return gateway.socket.close(refusal);
    gateway.identified = true;
    const ready = {
      v: 10,
      user: BOT,
      guilds: [{ id: GUILD_ID, unavailable: true }],
      session_id: `session-${this.identifies}`,
      resume_gateway_url: `ws://127.0.0.1:${this.port}`,
      shard: [0, 1],
      application: { id: BOT_ID, flags: 0 },
    };
    this.dispatch('READY', ready, [gateway]);
    const channel = (id: string) => ({ id, type: 0, name: `channel-${id}`, guild_id: GUILD_ID, position: 0 });
    const guild = {
      id: GUILD_ID,
      name: 'a server',
      owner_id: PERSON.id,
      roles: [{ id: GUILD_ID, name: '@everyone', permissions: '0', position: 0 }],
      emojis: [],
      stickers: [],
      features: [],
      members: [{ user: BOT, roles: [], joined_at: new Date(0).toISOString(), flags: 0 }],
      channels: [CHANNEL, OTHER_CHANNEL].map(channel),
      threads: Object.entries(THREADS).map(([id, parent_id]) => ({
        ...channel(id),
        type: 11,
        parent_id,
        owner_id: PERSON.id,
        thread_metadata: { archived: false, auto_archive_duration: 60, archive_timestamp: new Date().toISOString() },
      })),
      presences: [],
      voice_states: [],
    };
    this.dispatch('GUILD_CREATE', guild, [gateway]);
  }

  private resume(gateway: Gateway, from: number): void {
    this.resumes++;
    gateway.identified = true;
    for (const missed of this.sent.filter(({ s }) => s > from))
      gateway.socket.send(JSON.stringify({ op: 0, ...missed }));
    this.dispatch('RESUMED', {}, [gateway]);
  }

  private dispatch(t: string, d: object, to = this.gateways.filter(({ identified }) => identified)): void {
    const event = { s: ++this.sequence, t, d };
    this.sent.push(event);
    for (const { socket } of to) socket.send(JSON.stringify({ op: 0, ...event }));
  }
}
