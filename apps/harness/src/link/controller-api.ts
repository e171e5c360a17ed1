import { hostname } from 'node:os';
import { type ConnectRequest, ConnectResponse } from '@reins/shared/link/connect';
import { LINK } from '@reins/shared/link/limits';
import { retry } from '@reins/shared/util/retry';
import { type Secrets } from '../log/logger';
import { httpRequest, HttpRefusal } from './http';

const AgentConfiguration = ConnectResponse.omit({
  token: true,
  accessToken: true,
  expiresIn: true,
  tokenType: true,
  refreshToken: true,
  refreshExpiresIn: true,
});
/** Everything the connect answer says apart from the token. */
export type AgentConfiguration = Omit<
  ConnectResponse,
  'token' | 'accessToken' | 'expiresIn' | 'tokenType' | 'refreshToken' | 'refreshExpiresIn'
>;

export interface ControllerApiOptions {
  baseUrl: string;
  agentId: string;
  agentSecret: string;
  incarnation: string;
  version: string;
  supportedTypes: string[];
  capacity: number;
  secrets: Secrets;
}

const UPLOAD_TIMEOUT_MS = 60_000;
const UPLOAD_DELAYS_MS = [500, 1000, 2000, 4000, 8000, 15_000, 30_000];

/** The controller's HTTP side. Holds the agent's token; whoever needs one gets the newest. */
export class ControllerApi {
  private currentToken = '';

  constructor(private readonly options: ControllerApiOptions) {
    options.secrets.add(options.agentSecret);
  }

  get token(): string {
    return this.currentToken;
  }

  /** One attempt to connect. Rejects with HttpRefusal or a network error. `onSent`: the answer is now awaited. */
  async connect(signal?: AbortSignal, onSent?: () => void): Promise<AgentConfiguration> {
    const { agentSecret, incarnation, version, supportedTypes, capacity } = this.options;
    const body: ConnectRequest = {
      secret: agentSecret,
      incarnation,
      host: hostname(),
      harness: { version, protocol: [LINK.protocol, LINK.protocol] },
      supportedTypes,
      capacity,
    };
    const answer = await httpRequest(this.agentUrl('connect'), {
      method: 'POST',
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
      ...(onSent === undefined ? {} : { onSent }),
    });
    const parsed = ConnectResponse.parse(JSON.parse(answer.body.toString('utf8')));
    this.options.secrets.add(parsed.token);
    this.currentToken = parsed.token;
    return parsed;
  }

  async configuration(): Promise<AgentConfiguration> {
    const answer = await httpRequest(this.agentUrl('config'), { token: this.currentToken });
    return AgentConfiguration.parse(JSON.parse(answer.body.toString('utf8')));
  }

  /** Stores bytes at the session, trying for about a minute before it rejects. */
  async uploadBlob(
    sessionId: string,
    content: Buffer,
    contentType: string,
    sha256: string,
    signal?: AbortSignal,
  ): Promise<{ blobId: string }> {
    const url = `${this.options.baseUrl}/sessions/${encodeURIComponent(sessionId)}/blobs?sha256=${sha256}`;
    return retry(
      async () => {
        const answer = await httpRequest(url, {
          method: 'PUT',
          body: content,
          contentType,
          token: this.currentToken,
          timeoutMs: UPLOAD_TIMEOUT_MS,
          ...(signal === undefined ? {} : { signal }),
        });
        const parsed: unknown = JSON.parse(answer.body.toString('utf8'));
        if (!namesBlob(parsed)) throw new Error('the answer to an upload names no blob');
        return { blobId: parsed.blobId };
      },
      {
        delaysMs: UPLOAD_DELAYS_MS,
        // A token that has just expired is replaced by the link; any other refusal will not change.
        shouldRetry: (error) =>
          !(error instanceof HttpRefusal) || error.status >= 500 || [401, 408, 429].includes(error.status),
        ...(signal === undefined ? {} : { signal }),
      },
    );
  }

  /** The text of a prompt that was too large for the socket. */
  async fetchPrompt(promptUrl: string, signal: AbortSignal): Promise<string> {
    const url = new URL(promptUrl, `${this.options.baseUrl}/`);
    // The token goes to the controller and to nobody else.
    if (url.origin !== new URL(this.options.baseUrl).origin) throw new Error('the prompt is not at the controller');
    const answer = await retry(() => httpRequest(url.href, { token: this.currentToken, signal }), {
      delaysMs: [500, 1000, 2000],
      shouldRetry: (error) => !(error instanceof HttpRefusal) || error.status >= 500,
      signal,
    });
    const text = answer.body.toString('utf8');
    if (answer.headers['content-type']?.includes('application/json') !== true) return text;
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && 'prompt' in parsed && typeof parsed.prompt === 'string'
      ? parsed.prompt
      : String(parsed);
  }

  private agentUrl(action: string): string {
    return `${this.options.baseUrl}/agents/${this.options.agentId}/${action}`;
  }
}

function namesBlob(value: unknown): value is { blobId: string } {
  return typeof value === 'object' && value !== null && 'blobId' in value && typeof value.blobId === 'string';
}
