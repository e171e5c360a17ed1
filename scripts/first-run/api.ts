import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** The few calls the quick start makes, as any HTTP client would. */
export class Api {
  constructor(private readonly url: string) {}

  get<T>(path: string): Promise<T> {
    return this.call<T>('GET', path);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.call<T>('POST', path, body);
  }

  async delete(path: string): Promise<void> {
    await this.call('DELETE', path);
  }

  /** Undefined where there is no such thing. */
  async find<T>(path: string): Promise<T | undefined> {
    const response = await fetch(this.url + path);
    if (response.status === 404) return undefined;
    return this.read<T>('GET', path, response);
  }

  /** Every event of a stream, in order. */
  async *stream(path: string, body: unknown): AsyncGenerator<EventSourceMessage> {
    const response = await fetch(this.url + path, this.request('POST', body));
    if (!response.ok || response.body === null) await this.read('POST', path, response);
    const arrived: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (event) => arrived.push(event) });
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      parser.feed(decoder.decode(chunk, { stream: true }));
      yield* arrived.splice(0);
    }
  }

  private async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.read<T>(method, path, await fetch(this.url + path, this.request(method, body)));
  }

  private request(method: string, body: unknown): RequestInit {
    if (body === undefined) return { method };
    return { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  }

  private async read<T>(method: string, path: string, response: Response): Promise<T> {
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
}
