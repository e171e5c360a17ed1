import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PromptResponse, type SessionView, type TurnView } from '@reins/shared/api/sessions';
import { type SessionLogEvent } from '@reins/shared/link/events';
import { systemClock } from '@reins/shared/util';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { type Credentials } from './scripted-harness';

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** The public API as a test calls it. */
export class ApiClient {
  constructor(
    readonly url: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await fetch(this.url + path, {
      method,
      headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...this.headers, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T };
  }

  async must<T>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<T> {
    const answer = await this.call<T>(method, path, body, headers);
    if (answer.status >= 400)
      throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** A runtime and a worker of this kind; returns the worker's id. */
  async worker(cliType = 'javascript', more: object = {}): Promise<string> {
    const name = `${cliType}-${Math.random().toString(36).slice(2)}`;
    const runtime = await this.must<{ id: string }>('POST', '/admin/runtimes', { name, baseImage: 'node:20' });
    return (
      await this.must<{ id: string }>('POST', '/admin/workers', { name, runtimeId: runtime.id, cliType, ...more })
    ).id;
  }

  session(workerId: string, more: object = {}): Promise<SessionView> {
    return this.must<SessionView>('POST', '/sessions', { workerId, ...more });
  }

  get(sessionId: string): Promise<SessionView> {
    return this.must<SessionView>('GET', `/sessions/${sessionId}`);
  }

  async until(sessionId: string, status: SessionView['status'], timeoutMs = 30_000): Promise<SessionView> {
    return eventually(async () => {
      const session = await this.get(sessionId);
      if (session.status !== status)
        throw new Error(`the session is ${session.status}, not ${status}: ${JSON.stringify(session.statusReason)}`);
      return session;
    }, timeoutMs);
  }

  prompt(sessionId: string, prompt: string, more: object = {}): Promise<PromptResponse> {
    return this.must<PromptResponse>('POST', `/sessions/${sessionId}/prompt`, { prompt, ...more });
  }

  telemetry(sessionId: string): Promise<TurnView[]> {
    return this.must<TurnView[]>('GET', `/sessions/${sessionId}/telemetry?limit=100`);
  }

  async log(sessionId: string): Promise<SessionLogEvent[]> {
    const events: SessionLogEvent[] = [];
    for (;;) {
      const after = events.length === 0 ? 0 : (events[events.length - 1]?.seq ?? 0);
      const path = `/sessions/${sessionId}/events?follow=false&limit=1000&after=${after}`;
      const page = await this.must<{ items: SessionLogEvent[]; caughtUp: boolean }>('GET', path);
      events.push(...page.items);
      if (page.caughtUp) return events;
    }
  }

  /** Messages of a server-sent event stream until it ends or the signal aborts. */
  async *sse(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): AsyncGenerator<EventSourceMessage> {
    const response = await fetch(this.url + path, {
      method,
      headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...this.headers, ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    if (!response.ok || response.body === null)
      throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    const arrived: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (event) => arrived.push(event) });
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      parser.feed(decoder.decode(chunk, { stream: true }));
      yield* arrived.splice(0);
    }
  }
}

/** Repeats a check until it no longer throws; throws its last error when the time is up. */
export async function eventually<T>(check: () => Promise<T>, timeoutMs = 15_000, everyMs = 25): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await systemClock.sleep(everyMs);
    }
  }
}

/** The credentials an idle harness (idle-harness.mjs) was started with. */
export function credentialsOf(dataDir: string, sessionId: string): Promise<Credentials> {
  const path = join(dataDir, 'sessions', sessionId, 'state', 'credentials.json');
  return eventually(async () => JSON.parse(await readFile(path, 'utf8')) as Credentials);
}
