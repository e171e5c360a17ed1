import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { AGENT_ID } from './scripted-peer';

export interface AiwmRequest {
  /** `connect`, `heartbeat`, `disconnect`, `config`. */
  action: string;
  method: string;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
}

type Answer = { status: number; body?: unknown; headers?: Record<string, string> } | 'silence';

/**
 * The reference system's side of the agent guide over real HTTP: connect, heartbeat, disconnect, and no link. Kept in
 * memory, in which a test can make single answers go wrong.
 */
export class AiwmServer {
  readonly requests: AiwmRequest[] = [];
  /** What the next requests of an action are answered instead of 201. */
  readonly script: Record<string, Answer[]> = {};
  /** What connect answers apart from the token. */
  configuration: Record<string, unknown> = { instruction: 'Be kind.', tools: [], settings: {} };
  private readonly server: Server;
  private port = 0;

  private constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const action = (request.url ?? '').split('/').at(-1) ?? '';
        const text = Buffer.concat(chunks).toString();
        const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
        this.requests.push({ action, method: request.method ?? '', headers: request.headers, body });
        const answer = this.script[action]?.shift() ?? this.ordinary(action);
        if (answer === 'silence') return;
        response
          .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
          .end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {}));
      });
    });
  }

  static async start(): Promise<AiwmServer> {
    const server = new AiwmServer();
    await server.up();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  of(action: string): AiwmRequest[] {
    return this.requests.filter((request) => request.action === action);
  }

  async up(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Nothing listens any more; `up` listens at the same address again. */
  async down(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  /** AIWM answers 201 to every POST. */
  private ordinary(action: string): Answer {
    const token = `token-${this.of('connect').length}-of-the-reference-agent`;
    if (action === 'connect') return { status: 201, body: { accessToken: token, ...this.configuration } };
    if (action === 'heartbeat' || action === 'disconnect') return { status: 201, body: { success: true } };
    return { status: 404, body: { message: `Agent with ID ${AGENT_ID} not found` } };
  }
}
