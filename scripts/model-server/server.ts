import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { defaultScript, type Script } from './script';
import { Answer } from './wire/answer';
import { anthropic } from './wire/anthropic';
import { gemini } from './wire/gemini';
import { openaiChat } from './wire/openai-chat';
import { openaiResponses } from './wire/openai-responses';
import { type Wire } from './wire/wire';

const WIRES: readonly Wire[] = [anthropic, openaiResponses, openaiChat, gemini];
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** One request as it is remembered: no bodies, and of a key only how it starts. */
export interface RequestRecord {
  at: string;
  method: string;
  path: string;
  wire: string;
  keyStart: string;
  model: string;
  prompts: number;
  toolResults: number;
  shellTool: string | undefined;
  bodyBytes: number;
}

export interface ModelServer {
  url: string;
  /** Every request so far, oldest first. */
  requests: readonly RequestRecord[];
  close(): Promise<void>;
}

export interface ModelServerOptions {
  /** 0, the default, takes a free one. */
  port?: number;
  /** The address to listen on; 127.0.0.1 unless others on the network, such as pods, are to reach it. */
  host?: string;
  script?: Script;
  onRequest?: (record: RequestRecord) => void;
}

/** Starts a stand-in for model services. There is no model behind it: a script decides every answer. */
export async function startModelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const { port = 0, host = '127.0.0.1', script = defaultScript, onRequest } = options;
  const requests: RequestRecord[] = [];
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const body = await readBody(request);
    const wire = WIRES.find((one) => one.matches(path));
    const asked = wire?.read(parse(body), path);
    const record: RequestRecord = {
      at: new Date().toISOString(),
      method: request.method ?? '',
      path,
      wire: wire?.name ?? 'none',
      keyStart: wire?.key(request.headers).slice(0, 10) ?? '',
      model: asked?.model ?? '',
      prompts: asked?.prompts.length ?? 0,
      toolResults: asked?.toolResults ?? 0,
      shellTool: asked?.shellTool,
      bodyBytes: body.length,
    };
    requests.push(record);
    onRequest?.(record);
    const answer = new Answer(response, requests.length);
    if (wire === undefined) return answer.json({ error: { message: `no such path: ${path}` } }, 404);
    if (asked === undefined) return wire.other(path, answer);
    return wire.reply(script(asked), asked, answer);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BODY_BYTES) throw new Error(`request body above ${MAX_BODY_BYTES} bytes`);
  }
  return Buffer.concat(chunks);
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    // Some clients probe with an empty or foreign body; the wire then reads an empty request.
    return undefined;
  }
}
