import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type LookupFunction } from 'node:net';
import { type ToolRequest } from './tool-request';

export interface HttpAnswer {
  status: number;
  text: string;
}

/** The answer is longer than may be read. */
export class AnswerTooLong extends Error {
  override readonly name = 'AnswerTooLong';
}

export interface ExchangeOptions {
  maxBytes: number;
  signal: AbortSignal;
  /** Resolves the host's name; the system's resolver without it. */
  lookup?: LookupFunction;
}

/**
 * One request and its whole answer, over a connection of its own. Follows no redirect and reads at most `maxBytes`.
 * Rejects with AnswerTooLong, the signal's reason, or what the network says.
 */
export function exchange(request: ToolRequest, { maxBytes, signal, lookup }: ExchangeOptions): Promise<HttpAnswer> {
  const { method, url, headers, body } = request;
  const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const options = { method, headers: { ...headers, ...length }, agent: false, signal, ...(lookup && { lookup }) };
    const sent = open(url, options, (answer) => {
      readText(answer, maxBytes).then((text) => resolve({ status: answer.statusCode ?? 0, text }), reject);
    });
    sent.on('error', (error) => reject(signal.aborted && signal.reason instanceof Error ? signal.reason : error));
    sent.end(body);
  });
}

async function readText(answer: IncomingMessage, maxBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > maxBytes) throw new AnswerTooLong(`the answer is longer than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
