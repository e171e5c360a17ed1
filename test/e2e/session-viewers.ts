import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { type SessionLogEvent } from '@reins/shared/link/events';
import { type EventSourceMessage } from 'eventsource-parser';
import { ApiClient } from '../support/api-client';
import { type Booted } from './callers';

/** One page of `GET /sessions/:id/events?follow=false`. */
export interface Page {
  items: SessionLogEvent[];
  nextAfter: number;
  caughtUp: boolean;
  reset?: { firstSeq: number };
}
export const page = (client: ApiClient, id: string, query: string): Promise<Page> =>
  client.must<Page>('GET', `/sessions/${id}/events?follow=false&${query}`);

/** Messages of a follower from a cursor up to `caught-up`. */
export async function replayed(
  client: ApiClient,
  id: string,
  after: number,
  byHeader = false,
): Promise<EventSourceMessage[]> {
  const leave = new AbortController();
  const messages: EventSourceMessage[] = [];
  const headers: Record<string, string> = byHeader ? { 'Last-Event-ID': String(after) } : {};
  const path = `/sessions/${id}/events${byHeader ? '' : `?after=${after}`}`;
  for await (const message of client.sse('GET', path, undefined, headers, leave.signal)) {
    messages.push(message);
    if (message.event === 'caught-up') break;
  }
  leave.abort();
  return messages;
}

/** Numbers of the events among the messages. */
export const seqs = (messages: readonly EventSourceMessage[]): number[] =>
  messages.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));

/** A follower that the test reads, or does not read, byte by byte. */
export async function openRaw(url: string, id: string, token: string): Promise<Socket> {
  const { hostname, port, host } = new URL(url);
  const socket = connectTcp({ host: hostname, port: Number(port) });
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  socket.write(`GET /sessions/${id}/events HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  return socket;
}

/** A caller with a role in an organisation. */
export async function clientOf(at: Booted, role: string, org: string): Promise<ApiClient> {
  const token = await at.sign({ sub: `${role}@${org}`, roles: [role], orgId: org });
  return new ApiClient(at.url, { Authorization: `Bearer ${token}` });
}
