import { type IncomingMessage } from 'node:http';
import { performance } from 'node:perf_hooks';
import { type SessionLogEvent } from '@reins/shared/link/events';
import { createParser } from 'eventsource-parser';
import { type HttpClient } from './http';

const SEEN_WITHIN_MS = 120_000;

type Condition = (event: SessionLogEvent) => boolean;

interface Waiter {
  condition: Condition;
  resolve: (at: number) => void;
}

/** Follows a session's log as any viewer does, and knows when each event's bytes arrived. */
export class SessionEvents {
  private arrived: { event: SessionLogEvent; at: number }[] = [];
  private waiters: Waiter[] = [];

  private constructor(private readonly response: IncomingMessage) {
    const parser = createParser({
      onEvent: ({ event, data }) => {
        // Named ones tell of the stream itself.
        if (event === undefined) this.take(JSON.parse(data) as SessionLogEvent);
      },
    });
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => parser.feed(chunk));
    // Cut off by `close`.
    response.on('error', () => undefined);
  }

  /** From the session's first event on. */
  static async follow(http: HttpClient, sessionId: string): Promise<SessionEvents> {
    return new SessionEvents(await http.open('GET', `/sessions/${sessionId}/events?follow=true`));
  }

  /** When the first such event arrived that is not forgotten. Rejects with what arrived instead. */
  seen(what: string, condition: Condition): Promise<number> {
    const known = this.arrived.find(({ event }) => condition(event));
    if (known !== undefined) return Promise.resolve(known.at);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const log = this.arrived.map(({ event }) => `${event.type} ${JSON.stringify(event.data)}`).join('\n');
        reject(new Error(`never seen: ${what}; there was\n${log}`));
      }, SEEN_WITHIN_MS);
      const found = (at: number): void => {
        clearTimeout(timer);
        resolve(at);
      };
      this.waiters.push({ condition, resolve: found });
    });
  }

  /** The session is in this state. */
  state(state: string): Promise<number> {
    return this.seen(`the session ${state}`, ({ type, data }) => type === 'session.state' && data['state'] === state);
  }

  /** What arrived so far is not looked for any more. */
  forget(): void {
    this.arrived = [];
  }

  close(): void {
    this.response.destroy();
  }

  private take(event: SessionLogEvent): void {
    const at = performance.now();
    this.arrived.push({ event, at });
    const met = this.waiters.filter(({ condition }) => condition(event));
    this.waiters = this.waiters.filter((waiter) => !met.includes(waiter));
    for (const { resolve } of met) resolve(at);
  }
}
