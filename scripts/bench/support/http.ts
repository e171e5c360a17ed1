import { Agent, type IncomingMessage, request } from 'node:http';

/** One kept connection per stream or caller, Nagle off: the same client for all sides of a comparison. */
export class HttpClient {
  private readonly agent = new Agent({ keepAlive: true, noDelay: true, maxSockets: Infinity });

  constructor(
    readonly url: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  /** Resolves with the head of the answer. Rejects on an error status, with the answer's text. */
  open(method: string, path: string, body?: object): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const about =
        text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const headers = { ...this.headers, ...about };
      const outgoing = request(this.url + path, { method, headers, agent: this.agent }, (response) => {
        if ((response.statusCode ?? 500) < 400) return resolve(response);
        drain(response).then(
          (answer) => reject(new Error(`${method} ${path} answered ${response.statusCode}: ${answer}`)),
          reject,
        );
      });
      outgoing.on('error', reject);
      outgoing.end(text);
    });
  }

  async call(method: string, path: string, body?: object): Promise<string> {
    return drain(await this.open(method, path, body));
  }

  close(): void {
    this.agent.destroy();
  }
}

/** The last event of a stream repeats the whole text; what it holds has arrived before. */
const SUMMARY = '"type":"complete"';

/** Finds the numbers that the drivers put into event texts, in the order in which their bytes arrive. */
export class MarkerReader {
  readonly ended: Promise<void>;
  private rest = '';
  private over = false;
  private readonly waiting = new Map<number, () => void>();

  constructor(
    readonly response: IncomingMessage,
    private readonly onMarker: (marker: number) => void = () => undefined,
  ) {
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => this.read(chunk));
    // A stream that the driver itself cuts off ends with an error; that is its end.
    response.on('error', () => undefined);
    this.ended = new Promise((resolve) => response.once('close', resolve));
  }

  /** Resolves when the marker's bytes arrive. */
  seen(marker: number): Promise<void> {
    return new Promise((resolve) => this.waiting.set(marker, resolve));
  }

  private read(chunk: string): void {
    if (this.over) return;
    const whole = this.rest + chunk;
    const summary = whole.indexOf(SUMMARY);
    this.over = summary >= 0;
    const text = this.over ? whole.slice(0, summary) : whole;
    let end = 0;
    for (const match of text.matchAll(/#(\d+)#/g)) {
      end = match.index + match[0].length;
      const marker = Number(match[1]);
      this.onMarker(marker);
      this.waiting.get(marker)?.();
      this.waiting.delete(marker);
    }
    // A marker, or the word that announces the summary, may be cut in two by the network.
    this.rest = text.slice(Math.max(end, text.length - SUMMARY.length));
  }
}

export const marked = (marker: number): string => `#${marker}#`;

async function drain(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) text += chunk as string;
  return text;
}
