import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type SessionDescriptor } from '@reins/shared/link/connect';
import { type EventItem } from '@reins/shared/link/events';
import { type PulledTurn, type Welcome } from '@reins/shared/link/frames';
import { type FrameAcks, HARNESS_FRAMES, type FrameBody, type HarnessFrame } from '@reins/shared/link/socket-events';
import { Server, type Socket } from 'socket.io';

export const AGENT_ID = '0123456789abcdef01234567';
export const SECRET = 'secret-of-the-scripted-agent';

export const SESSION: SessionDescriptor = {
  id: 'sess-1',
  workerId: 'wk-1',
  cliType: 'scripted',
  modelConfig: null,
  repository: null,
  workerRepo: null,
  resume: null,
  limits: { turnTimeoutMs: 60_000, turnIdleMs: 60_000, cpuMs: 1, wallMs: 1, memoryBytes: 1 },
};

/** No answer at all: the frame or its ack was lost. */
export const SILENCE: unique symbol = Symbol('silence');
type Answer<F extends HarnessFrame> = FrameAcks[F] | { error: { code: string; message: string } } | typeof SILENCE;
export type Script<F extends HarnessFrame> = (
  body: FrameBody<F>,
  socket: Socket,
) => Answer<F> | Promise<Answer<F>> | undefined;

/**
 * The controller's side of the link by the protocol, kept in memory, in which a test can make single answers go wrong:
 * faults that a healthy controller will not show. Frames are checked against the shared schemas.
 */
export class ScriptedPeer {
  readonly frames: { frame: HarnessFrame; body: unknown }[] = [];
  readonly events = new Map<string, EventItem[]>();
  readonly blobs = new Map<string, Buffer>();
  readonly connects: Record<string, unknown>[] = [];
  readonly faults: string[] = [];
  /** What the next HTTP connects answer instead of 200. */
  readonly refuseConnect: { status: number; body: object; headers?: Record<string, string> }[] = [];
  /** The same for the configuration. */
  readonly refuseConfig: { status: number; body: object }[] = [];
  /** What the next handshakes are refused with. */
  readonly refuseHandshake: { code: string; retryAfterMs?: number }[] = [];
  session: SessionDescriptor | null = SESSION;
  verdict: 'continue' | 'abandon' = 'continue';
  configVersion = 'v1';
  credit = 256 * 1024;
  heartbeatMs = 200;
  leaseMs = 45_000;
  settings: Record<string, unknown> = {};
  tools: Record<string, unknown>[] = [];
  mcpServers: Record<string, object> = {};
  prompts = new Map<string, string>();
  sockets: Socket[] = [];
  private readonly scripts = new Map<HarnessFrame, Script<HarnessFrame>[]>();
  private readonly queue: PulledTurn[] = [];
  private readonly held: { socket: Socket; answer: (ack: FrameAcks['turn.pull']) => void }[] = [];
  private readonly http: HttpServer;
  private readonly io: Server;
  private watchers: { until: () => boolean; resolve: () => void }[] = [];

  private constructor() {
    this.http = createServer((request, response) => void this.serve(request, response));
    this.io = new Server(this.http, {
      transports: ['websocket'],
      perMessageDeflate: false,
      maxHttpBufferSize: 1024 * 1024,
    });
    const space = this.io.of('/harness');
    space.use((_socket, next) => {
      const refusal = this.refuseHandshake.shift();
      if (refusal === undefined) return next();
      next(Object.assign(new Error(refusal.code), { data: refusal }));
    });
    space.on('connection', (socket) => this.connected(socket));
  }

  /** `port` 0: any free one. */
  static async start(port = 0): Promise<ScriptedPeer> {
    const peer = new ScriptedPeer();
    await new Promise<void>((resolve, reject) => {
      peer.http.once('error', reject);
      peer.http.listen(port, '127.0.0.1', resolve);
    });
    return peer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  get socket(): Socket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error('no harness is connected');
    return socket;
  }

  /** The next frames of this kind get these answers, one each; undefined means the ordinary one. */
  script<F extends HarnessFrame>(frame: F, ...scripts: Script<F>[]): void {
    const list = this.scripts.get(frame) ?? [];
    list.push(...(scripts as unknown as Script<HarnessFrame>[]));
    this.scripts.set(frame, list);
  }

  turn(turnId: string, more: Partial<PulledTurn> = {}): void {
    const in45s = new Date(Date.now() + 45_000).toISOString();
    this.queue.push({
      turnId,
      sessionId: 'sess-1',
      generation: 1,
      prompt: turnId,
      leaseUntil: in45s,
      startBy: in45s,
      ...more,
    });
    this.dispatch();
  }

  bodies<F extends HarnessFrame>(frame: F): FrameBody<F>[] {
    return this.frames.filter((entry) => entry.frame === frame).map((entry) => entry.body as FrameBody<F>);
  }

  eventsOf(sessionId = 'sess-1'): EventItem[] {
    return this.events.get(sessionId) ?? [];
  }

  terminal(turnId: string): Record<string, unknown> | undefined {
    return this.eventsOf().find((event) => event.type === 'turn.completed' && event.turnId === turnId)?.data;
  }

  async until(what: string, condition: () => boolean, timeoutMs = 20_000): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`never came: ${what}; faults: ${this.faults.join('; ')}`)),
        timeoutMs,
      );
      this.watchers.push({
        until: condition,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      });
    });
  }

  async stop(): Promise<void> {
    await this.io.close();
  }

  /** Looks again at what tests wait for. */
  touch(): void {
    const met = this.watchers.filter(({ until }) => until());
    this.watchers = this.watchers.filter((watcher) => !met.includes(watcher));
    met.forEach(({ resolve }) => resolve());
  }

  private connected(socket: Socket): void {
    this.sockets.push(socket);
    for (const frame of Object.keys(HARNESS_FRAMES) as HarnessFrame[]) {
      socket.on(frame, (body: unknown, ack: (answer: unknown) => void) => void this.receive(socket, frame, body, ack));
    }
    this.touch();
  }

  private async receive(
    socket: Socket,
    frame: HarnessFrame,
    body: unknown,
    ack: (answer: unknown) => void,
  ): Promise<void> {
    const parsed = HARNESS_FRAMES[frame].safeParse(body);
    if (!parsed.success) this.faults.push(`${frame}: ${parsed.error.message}`);
    this.frames.push({ frame, body });
    const script = this.scripts.get(frame)?.shift();
    const scripted = await script?.(body as FrameBody<HarnessFrame>, socket);
    const answer = scripted ?? (await this.ordinary(socket, frame, body));
    if (answer !== SILENCE) ack(answer);
    this.touch();
  }

  private async ordinary(socket: Socket, frame: HarnessFrame, body: unknown): Promise<unknown> {
    switch (frame) {
      case 'hello':
        return this.welcome(body as FrameBody<'hello'>);
      case 'events':
        return this.take(body as FrameBody<'events'>);
      case 'turn.pull':
        return new Promise((resolve) => {
          this.held.push({ socket, answer: resolve });
          this.dispatch();
        });
      case 'heartbeat': {
        const leaseUntil = new Date(Date.now() + this.leaseMs).toISOString();
        const { turns } = body as FrameBody<'heartbeat'>;
        const leases = turns.map(({ turnId, generation }) => ({ turnId, generation, leaseUntil }));
        return { leases, credit: this.credit, commands: [], configVersion: this.configVersion };
      }
      case 'commands.pull':
        return { commands: [] };
      default:
        return { ok: true };
    }
  }

  private welcome(hello: FrameBody<'hello'>): Welcome {
    const named = hello.sessions.map(({ sessionId, turns }) => ({
      sessionId,
      acked: this.eventsOf(sessionId).length,
      session: { ...(this.session ?? SESSION), id: sessionId },
      turns: turns.map(({ turnId, generation }) => ({ turnId, generation, verdict: this.verdict })),
    }));
    return {
      resume: 'ok',
      sessions: named,
      limits: { frameBytes: 262_144, batchBytes: 32_768, batchEvents: 64, inlineBytes: 65_536 },
      credit: this.credit,
      drain: false,
    };
  }

  take(body: FrameBody<'events'>): { acked: number; credit: number } | { expect: number } {
    const log = this.events.get(body.sessionId) ?? [];
    this.events.set(body.sessionId, log);
    if (body.from > log.length + 1) return { expect: log.length + 1 };
    for (const item of body.items) if (item.n === log.length + 1) log.push(item);
    return { acked: log.length, credit: this.credit };
  }

  private dispatch(): void {
    while (this.queue.length > 0 && this.held.length > 0) {
      const pull = this.held.shift();
      if (pull?.socket.connected !== true) continue;
      const turn = this.queue.shift();
      if (turn !== undefined) pull.answer({ turn });
    }
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? '/', this.url);
    const answer = (status: number, value: object, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
      this.touch();
    };
    if (request.method === 'POST' && url.pathname === `/agents/${AGENT_ID}/connect`) {
      this.connects.push(JSON.parse(body.toString()) as Record<string, unknown>);
      const refusal = this.refuseConnect.shift();
      if (refusal !== undefined) return answer(refusal.status, refusal.body, refusal.headers);
      return answer(200, { ...this.configurationAnswer(), ...this.tokenFields() });
    }
    if (request.method === 'GET' && url.pathname === `/agents/${AGENT_ID}/config`) {
      const { status, body: refused } = this.refuseConfig.shift() ?? { status: 200, body: this.configurationAnswer() };
      return answer(status, refused);
    }
    if (request.method === 'PUT' && url.pathname.endsWith('/blobs')) {
      const sha256 = createHash('sha256').update(body).digest('hex');
      if (sha256 !== url.searchParams.get('sha256')) return answer(400, { code: 'validation_failed', message: 'hash' });
      this.blobs.set(`blob-${sha256.slice(0, 8)}`, body);
      return answer(201, { blobId: `blob-${sha256.slice(0, 8)}`, sizeBytes: body.length, sha256 });
    }
    const prompt = this.prompts.get(url.pathname);
    if (prompt !== undefined && request.headers.authorization?.startsWith('Bearer token-') === true) {
      response.writeHead(200, { 'content-type': 'text/plain' }).end(prompt);
      return;
    }
    answer(404, { code: 'not_found', message: 'Not found' });
  }

  private tokenFields(): object {
    const token = `token-${this.connects.length}-of-the-scripted-agent`;
    return {
      token,
      accessToken: token,
      expiresIn: 86400,
      tokenType: 'bearer',
      refreshToken: null,
      refreshExpiresIn: 0,
    };
  }

  private configurationAnswer(): object {
    return {
      instruction: `Instruction of ${this.configVersion}`,
      instructionDetail: { id: '', systemPrompt: '', guidelines: [] },
      tools: this.tools,
      agent: { id: AGENT_ID, name: 'scripted', orgId: 'o' },
      settings: this.settings,
      skills: [],
      mcpServers: this.mcpServers,
      session: this.session,
      link: { url: this.url, namespace: '/harness', protocol: 1, heartbeatMs: this.heartbeatMs, leaseMs: this.leaseMs },
      configVersion: this.configVersion,
    };
  }
}
