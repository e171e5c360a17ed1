import { hostname } from 'node:os';
import { type ConnectRequest } from '@reins/shared/link/connect';
import { type Heartbeat } from '@reins/shared/link/frames';
import { LINK } from '@reins/shared/link/limits';
import { retry } from '@reins/shared/util/retry';
import { type Logger, type Secrets } from '../log/logger';
import { type AgentConfiguration, type ConnectAnswer, parseConfiguration, parseConnectAnswer } from './connect-answer';
import { failureFields, type HttpAnswer, type HttpOptions, httpRequest, HttpRefusal } from './http';

export type { AgentConfiguration } from './connect-answer';

/** What a heartbeat over HTTP says. */
export type HttpHeartbeat = Pick<Heartbeat, 'status' | 'metrics'>;

export interface ControllerApiOptions {
  baseUrl: string;
  agentId: string;
  agentSecret: string;
  incarnation: string;
  version: string;
  supportedTypes: string[];
  capacity: number;
  secrets: Secrets;
  /** How long an answer is awaited; uploads get more. */
  timeoutMs: number;
  /** A request was answered 401: the token has ended before its time. */
  onTokenRefused: () => void;
  log: Logger;
}

/** Longer than this nobody waits for a goodbye. */
const DISCONNECT_TIMEOUT_MS = 1_000;
const UPLOAD_TIMEOUT_MS = 60_000;
const UPLOAD_DELAYS_MS = [500, 1000, 2000, 4000, 8000, 15_000, 30_000];

/** The controller's HTTP side. Holds the agent's token; whoever needs one gets the newest. */
export class ControllerApi {
  private currentToken = '';
  private agentSecret: string;

  constructor(private readonly options: ControllerApiOptions) {
    this.agentSecret = options.agentSecret;
    options.secrets.add(options.agentSecret);
  }

  get token(): string {
    return this.currentToken;
  }

  /** One attempt to connect. Rejects with HttpRefusal or HttpFailure. `onSent`: the answer is now awaited. */
  async connect(signal?: AbortSignal, onSent?: () => void): Promise<Omit<ConnectAnswer, 'token'>> {
    const { incarnation, version, supportedTypes, capacity } = this.options;
    const body: ConnectRequest = {
      secret: this.agentSecret,
      incarnation,
      host: hostname(),
      harness: { version, protocol: [LINK.protocol, LINK.protocol] },
      supportedTypes,
      capacity,
    };
    const answer = await this.send('connect', this.agentUrl('connect'), {
      method: 'POST',
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
      ...(onSent === undefined ? {} : { onSent }),
    });
    const { token, ...connected } = parseConnectAnswer(answer.body);
    this.options.secrets.add(token);
    this.currentToken = token;
    this.options.log.info('configured by the controller', {
      correlationId: answer.correlationId,
      expiresInSeconds: connected.expiresInSeconds,
      configVersion: connected.configuration.configVersion,
      link: connected.configuration.link !== undefined,
    });
    return { ...connected, configuration: this.guarded(connected.configuration) };
  }

  async configuration(): Promise<AgentConfiguration> {
    const answer = await this.sendAuthorized('config', this.agentUrl('config'), {});
    return this.guarded(parseConfiguration(answer.body));
  }

  /**
   * Fetches the agent a new secret and connects with it from then on. The one before goes on working for a while, so
   * asking again because the answer was lost does no harm.
   */
  async rotateSecret(signal: AbortSignal): Promise<string> {
    const options = { method: 'POST', body: JSON.stringify({ secret: this.agentSecret }), signal } as const;
    const answer = await this.sendAuthorized('rotate', this.agentUrl('credentials/rotate'), options);
    // Loaded here because few harnesses ever need it and its schemas are many.
    const { RotateResponse } = await import('@reins/shared/api/enrollment');
    const { secret } = RotateResponse.parse(JSON.parse(answer.body.toString('utf8')));
    this.options.secrets.add(secret);
    this.agentSecret = secret;
    return secret;
  }

  /** For a controller without a link. */
  async heartbeat(body: HttpHeartbeat, signal: AbortSignal): Promise<void> {
    const options = { method: 'POST', body: JSON.stringify(body), signal } as const;
    await this.send('heartbeat', this.agentUrl('heartbeat'), { ...options, token: this.currentToken });
  }

  /** Says goodbye, so that nobody waits for the next heartbeat. Never rejects. */
  async disconnect(reason: string): Promise<void> {
    if (this.currentToken === '') return;
    const options = { method: 'POST', body: JSON.stringify({ reason }), timeoutMs: DISCONNECT_TIMEOUT_MS } as const;
    await this.send('disconnect', this.agentUrl('disconnect'), { ...options, token: this.currentToken }).catch(
      () => undefined,
    );
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
        const answer = await this.sendAuthorized('upload', url, {
          method: 'PUT',
          body: content,
          contentType,
          timeoutMs: Math.max(UPLOAD_TIMEOUT_MS, this.options.timeoutMs),
          ...(signal === undefined ? {} : { signal }),
        });
        const parsed: unknown = JSON.parse(answer.body.toString('utf8'));
        if (!namesBlob(parsed)) throw new Error('the answer to an upload names no blob');
        return { blobId: parsed.blobId };
      },
      {
        delaysMs: UPLOAD_DELAYS_MS,
        shouldRetry: mayPass,
        ...(signal === undefined ? {} : { signal }),
      },
    );
  }

  /** The text of a prompt that was too large for the socket. */
  async fetchPrompt(promptUrl: string, signal: AbortSignal): Promise<string> {
    const url = new URL(promptUrl, `${this.options.baseUrl}/`);
    // The token goes to the controller and to nobody else.
    if (url.origin !== new URL(this.options.baseUrl).origin) throw new Error('the prompt is not at the controller');
    const answer = await retry(() => this.sendAuthorized('prompt', url.href, { signal }), {
      delaysMs: [500, 1000, 2000],
      shouldRetry: mayPass,
      signal,
    });
    const text = answer.body.toString('utf8');
    if (answer.headers['content-type']?.includes('application/json') !== true) return text;
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && 'prompt' in parsed && typeof parsed.prompt === 'string'
      ? parsed.prompt
      : String(parsed);
  }

  /** A token that is refused is replaced by the link, so that another attempt has the new one. */
  private async sendAuthorized(what: string, url: string, options: HttpOptions): Promise<HttpAnswer> {
    try {
      return await this.send(what, url, { ...options, token: this.currentToken });
    } catch (error) {
      if (error instanceof HttpRefusal && error.status === 401) this.options.onTokenRefused();
      throw error;
    }
  }

  /** Each request leaves a line with its correlation id; what a failure means says the caller. */
  private async send(what: string, url: string, options: HttpOptions): Promise<HttpAnswer> {
    const { log, timeoutMs } = this.options;
    try {
      const answer = await httpRequest(url, { timeoutMs, ...options });
      log.debug('request answered', { request: what, status: answer.status, correlationId: answer.correlationId });
      return answer;
    } catch (error) {
      const status = error instanceof HttpRefusal ? error.status : undefined;
      log.debug('request failed', { request: what, status, ...failureFields(error) });
      throw error;
    }
  }

  /** The tokens of the settings and of the MCP servers must not reach a log either. */
  private guarded(configuration: AgentConfiguration): AgentConfiguration {
    this.options.secrets.addNamed(configuration.settings);
    this.options.secrets.addNamed(configuration.mcpServers);
    return configuration;
  }

  private agentUrl(action: string): string {
    return `${this.options.baseUrl}/agents/${this.options.agentId}/${action}`;
  }
}

/** Whether another attempt may have more luck. */
function mayPass(error: unknown): boolean {
  return !(error instanceof HttpRefusal) || error.status >= 500 || [401, 408, 429].includes(error.status);
}

function namesBlob(value: unknown): value is { blobId: string } {
  return typeof value === 'object' && value !== null && 'blobId' in value && typeof value.blobId === 'string';
}
