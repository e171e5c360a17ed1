import { type IncomingMessage } from 'node:http';
import { type ModelRequest, type Reply } from '../script';
import { type Answer } from './answer';

/** One provider's HTTP shape: which requests are its own, what they ask, and how a reply looks on it. */
export interface Wire {
  name: string;
  matches(path: string): boolean;
  /** `undefined` for a request that is not answered by the script, such as counting tokens; `reply` gets it as it is. */
  read(body: unknown, path: string): ModelRequest | undefined;
  /** Writes the reply and ends the response. */
  reply(reply: Reply, request: ModelRequest, answer: Answer): Promise<void>;
  /** Answers what `read` did not understand as a model call. */
  other(path: string, answer: Answer): void;
  /** Whatever the client gave as key, for the log. */
  key(headers: IncomingMessage['headers']): string;
}
