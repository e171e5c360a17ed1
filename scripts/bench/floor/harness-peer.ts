import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { type ConnectResponse, type SessionDescriptor } from '@reins/shared/link/connect';
import { type FrameBody, HARNESS_FRAMES, type HarnessFrame } from '@reins/shared/link/socket-events';
import { Server, type Socket } from 'socket.io';

const CREDIT = 256 * 1024;
const CONFIG_VERSION = 'v1';
const LIMITS = { frameBytes: 262_144, batchBytes: 32_768, batchEvents: 64, inlineBytes: 65_536 };

/**
 * Everything a harness needs to get ready, answered from memory at once: what is left is what the start of the harness
 * itself takes, wherever it is. Knows the agents by the path they connect at, and lets everyone in.
 */
export class HarnessPeer {
  private readonly waiting = new Map<string, (at: number) => void>();
  private readonly io: Server;

  private constructor(private readonly http: HttpServer) {
    http.on('request', (request: IncomingMessage, response: ServerResponse) => void this.serve(request, response));
    this.io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });
    this.io.of('/harness').on('connection', (socket) => this.connected(socket));
  }

  static async start(address: string): Promise<HarnessPeer> {
    const http = createServer();
    await new Promise<void>((resolve) => http.listen(0, address, resolve));
    return new HarnessPeer(http);
  }

  get port(): number {
    return (this.http.address() as AddressInfo).port;
  }

  /** When the agent's harness says that its workspace is there. */
  ready(agentId: string): Promise<number> {
    return new Promise((resolve) => this.waiting.set(agentId, resolve));
  }

  /** When something asked for `/said/<name>`. */
  said(name: string): Promise<number> {
    return this.ready(name);
  }

  async stop(): Promise<void> {
    await this.io.close();
  }

  private met(name: string): void {
    this.waiting.get(name)?.(performance.now());
    this.waiting.delete(name);
  }

  private connected(socket: Socket): void {
    const agentId = (socket.handshake.auth as { token: string }).token;
    for (const frame of Object.keys(HARNESS_FRAMES) as HarnessFrame[]) {
      socket.on(frame, (body: object, ack: (answer: object) => void) => {
        if (frame === 'ready') this.met(agentId);
        const answer = answerTo(frame, body, agentId);
        if (answer !== undefined) ack(answer);
      });
    }
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    for await (const chunk of request) void chunk;
    const [, said] = /^\/said\/(.+)$/.exec(path) ?? [];
    if (said !== undefined) {
      this.met(said);
      response.writeHead(204).end();
      return;
    }
    const [, agentId] = /^\/agents\/([^/]+)\/(?:connect|config)$/.exec(path) ?? [];
    const body = agentId === undefined ? {} : configuration(agentId, `http://${request.headers.host ?? ''}`);
    response.writeHead(agentId === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }
}

function answerTo(frame: HarnessFrame, body: object, agentId: string): object | undefined {
  switch (frame) {
    case 'hello': {
      const { sessions } = body as FrameBody<'hello'>;
      const named = sessions.map(({ sessionId }) => ({ sessionId, acked: 0, session: sessionOf(agentId), turns: [] }));
      return { resume: 'ok', sessions: named, limits: LIMITS, credit: CREDIT, drain: false };
    }
    case 'events': {
      const { from, items } = body as FrameBody<'events'>;
      return { acked: from + items.length - 1, credit: CREDIT };
    }
    case 'heartbeat':
      return { leases: [], credit: CREDIT, commands: [], configVersion: CONFIG_VERSION };
    case 'commands.pull':
      return { commands: [] };
    case 'turn.pull':
      // Held: there are no turns here.
      return undefined;
    default:
      return { ok: true };
  }
}

function sessionOf(agentId: string): SessionDescriptor {
  return {
    id: `sess_${agentId}`,
    workerId: 'worker',
    cliType: 'javascript',
    modelConfig: null,
    repository: null,
    workerRepo: null,
    resume: null,
    limits: { turnTimeoutMs: 60_000, turnIdleMs: 60_000, cpuMs: 2_000, wallMs: 5_000, memoryBytes: 134_217_728 },
  };
}

function configuration(agentId: string, url: string): ConnectResponse {
  return {
    token: agentId,
    accessToken: agentId,
    expiresIn: 86_400,
    tokenType: 'bearer',
    refreshToken: null,
    refreshExpiresIn: 0,
    instruction: '',
    instructionDetail: { id: '', systemPrompt: '', guidelines: [] },
    tools: [],
    agent: { id: agentId, name: 'bench', orgId: 'bench' },
    settings: {},
    skills: [],
    mcpServers: {},
    session: sessionOf(agentId),
    link: { url, namespace: '/harness', protocol: 1, heartbeatMs: 15_000, leaseMs: 45_000 },
    configVersion: CONFIG_VERSION,
  };
}
