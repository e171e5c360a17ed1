import { type LinkAddress } from '@reins/shared/link/connect';
import { type ByeReason, type Hello, type Welcome } from '@reins/shared/link/frames';
import { LINK } from '@reins/shared/link/limits';
import { type FrameAcks, type FrameBody, type HarnessFrame } from '@reins/shared/link/socket-events';
import { type Clock, systemClock } from '@reins/shared/util/clock';
import { type Interval, startInterval } from '@reins/shared/util/interval';
import { backoffMs, retry } from '@reins/shared/util/retry';
import { type Rng, systemRng } from '@reins/shared/util/rng';
import { describeError, type Logger } from '../log/logger';
import { type AgentConfiguration, type ControllerApi } from './controller-api';
import { HttpRefusal } from './http';
import { LinkDown } from './link-errors';
import { HandshakeRefusal, LinkSocket, type SocketEnd, type SocketHandlers } from './link-socket';

/** Why the link is over for good, in a sentence for the person who runs the harness. */
export interface LinkEnd {
  reason: ByeReason | 'refused' | 'closed';
  message: string;
}

export interface LinkHandlers extends SocketHandlers {
  /** The agent's configuration, at every connect by HTTP. */
  configured: (configuration: AgentConfiguration) => void;
  /** The connection stands but nothing has moved: what this harness has. */
  hello: () => Hello;
  welcomed: (welcome: Welcome) => void;
  /** The connection is gone; another one will be tried. */
  down: () => void;
}

export interface LinkOptions {
  api: ControllerApi;
  incarnation: string;
  handlers: LinkHandlers;
  log: Logger;
  clock?: Clock;
  rng?: Rng;
}

const CONNECT_DELAYS_MS = [1000, 2000, 4000];
const REFRESH_EVERY_MS = 23 * 60 * 60 * 1000;
const TOKEN_CODES: ReadonlySet<string> = new Set([
  'token_expired',
  'token_invalid',
  'token_revoked',
  'unauthenticated',
  'agent_suspended',
]);

/** The harness's side of the link: connects, says hello, and connects again until it is told not to. */
export class Link {
  private readonly closing = new AbortController();
  private readonly clock: Clock;
  private readonly rng: Rng;
  private socket: LinkSocket | undefined;
  private isUp = false;
  private address: LinkAddress | undefined;
  private refresh: Interval | undefined;
  private loadedIo: Promise<typeof import('socket.io-client')> | undefined;

  constructor(private readonly options: LinkOptions) {
    this.clock = options.clock ?? systemClock;
    this.rng = options.rng ?? systemRng;
  }

  /** Whether hello has been answered, so that requests may be sent. */
  get up(): boolean {
    return this.isUp;
  }

  /** Rejects with LinkDown while there is no connection; see LinkSocket.request. */
  async request<F extends HarnessFrame>(
    frame: F,
    body: FrameBody<F>,
    timeoutMs: number = LINK.ackTimeoutMs,
  ): Promise<FrameAcks[F]> {
    if (this.socket === undefined || !this.isUp) throw new LinkDown();
    return this.socket.request(frame, body, timeoutMs);
  }

  /** Drops the connection so that a new hello is exchanged. */
  reconnect(reason: string): void {
    this.socket?.close(reason);
  }

  close(): void {
    this.closing.abort(new Error('the harness is stopping'));
    this.socket?.close('closed by the harness');
  }

  /** Keeps the link up; resolves when it is over for good. */
  async run(): Promise<LinkEnd> {
    const { log } = this.options;
    this.refresh = startInterval({
      everyMs: REFRESH_EVERY_MS,
      clock: this.clock,
      run: async () => void (await this.authenticate()),
      onError: (error) => log.warn('the token could not be renewed', { reason: describeError(error) }),
    });
    try {
      return await this.loop();
    } catch (error) {
      if (this.closing.signal.aborted) return { reason: 'closed', message: 'the harness was stopped' };
      throw error;
    } finally {
      this.isUp = false;
      this.closing.abort(new Error('the link is over'));
      await this.refresh.stop();
    }
  }

  private async loop(): Promise<LinkEnd> {
    const refused = await this.authenticate();
    if (refused !== undefined) return refused;
    for (let attempt = 1; ; attempt++) {
      let waitMs: number | undefined;
      let authenticate: boolean;
      try {
        const { end, welcomed } = await this.connection();
        if (welcomed) attempt = 0;
        const over = this.overAfter(end);
        if (over !== undefined) return over;
        authenticate = end.kind === 'bye';
        if (end.kind === 'drain') waitMs = end.reconnectAfterMs;
      } catch (error) {
        this.closing.signal.throwIfAborted();
        const refusal = error instanceof HandshakeRefusal ? error : undefined;
        if (refusal?.code === 'agent_superseded') return { reason: 'superseded', message: refusal.message };
        if (refusal?.code === 'protocol_unsupported') return { reason: 'unsupported', message: refusal.message };
        authenticate = refusal?.code !== undefined && TOKEN_CODES.has(refusal.code);
        waitMs = refusal?.retryAfterMs;
        this.options.log.warn('no connection to the controller', { reason: describeError(error) });
      }
      waitMs ??= backoffMs(Math.max(1, attempt), LINK.reconnectMinMs / 2, LINK.reconnectMaxMs, this.rng);
      await this.clock.sleep(waitMs, this.closing.signal);
      if (authenticate) {
        const refusedAgain = await this.authenticate();
        if (refusedAgain !== undefined) return refusedAgain;
      }
    }
  }

  /** One connection from handshake to end. */
  private async connection(): Promise<{ end: SocketEnd; welcomed: boolean }> {
    const { api, incarnation, handlers, log } = this.options;
    const io = await this.io();
    if (this.address === undefined) throw new LinkDown();
    const credentials = { token: api.token, incarnation, protocol: LINK.protocol };
    const socket = await LinkSocket.open(io, this.address, credentials, handlers, this.closing.signal);
    this.socket = socket;
    let welcomed = false;
    try {
      const welcome = await socket.request('hello', handlers.hello(), LINK.ackTimeoutMs);
      if (welcome.resume === 'superseded') {
        return { end: { kind: 'bye', reason: 'superseded', message: undefined }, welcomed };
      }
      welcomed = this.isUp = true;
      log.info('connected to the controller', { resume: welcome.resume });
      handlers.welcomed(welcome);
      return { end: await socket.ended, welcomed };
    } catch (error) {
      // A bye during the handshake says more than the request it cut off.
      socket.close(describeError(error));
      const end = await socket.ended;
      if (end.kind !== 'lost') return { end, welcomed };
      throw error;
    } finally {
      socket.close('done');
      this.socket = undefined;
      this.isUp = false;
      if (welcomed) handlers.down();
    }
  }

  private overAfter(end: SocketEnd): LinkEnd | undefined {
    this.closing.signal.throwIfAborted();
    this.options.log.info('the connection ended', { kind: end.kind, reason: 'reason' in end ? end.reason : undefined });
    if (end.kind !== 'bye' || end.reason === 'reauth') return undefined;
    return { reason: end.reason, message: end.message ?? BYE_SENTENCES[end.reason] };
  }

  /** Connects by HTTP until it is accepted; answers why where it never will be. */
  private async authenticate(): Promise<LinkEnd | undefined> {
    const { api, handlers, log } = this.options;
    for (let attempt = 1; ; attempt++) {
      try {
        const configuration = await retry(() => api.connect(this.closing.signal, () => void this.io()), {
          delaysMs: attempt === 1 ? CONNECT_DELAYS_MS : [],
          shouldRetry: (error) => !(error instanceof HttpRefusal) || error.status >= 500,
          onRetry: (error, number) => log.warn('connect failed', { attempt: number, reason: describeError(error) }),
          signal: this.closing.signal,
          clock: this.clock,
        });
        this.address = configuration.link;
        handlers.configured(configuration);
        return undefined;
      } catch (error) {
        this.closing.signal.throwIfAborted();
        const refusal = error instanceof HttpRefusal ? error : undefined;
        const final = refusal === undefined ? undefined : finalRefusal(refusal);
        if (final !== undefined) return final;
        const waitMs = refusal?.retryAfterMs ?? backoffMs(attempt + 3, 1000, LINK.reconnectMaxMs, this.rng);
        log.error('the controller cannot be reached; trying again', { reason: describeError(error), waitMs });
        await this.clock.sleep(waitMs, this.closing.signal);
      }
    }
  }

  /** Loaded while the first connect's answer is awaited, which hides most of its cost. */
  private io(): Promise<typeof import('socket.io-client')> {
    return (this.loadedIo ??= import('socket.io-client'));
  }
}

function finalRefusal(refusal: HttpRefusal): LinkEnd | undefined {
  if (refusal.code === 'agent_superseded') return { reason: 'superseded', message: refusal.message };
  const hint = FINAL_STATUSES[refusal.status];
  return hint === undefined ? undefined : { reason: 'refused', message: `${refusal.message}: ${hint}` };
}

const FINAL_STATUSES: Readonly<Record<number, string>> = {
  400: 'the controller does not accept how this harness connects',
  401: 'check AIWM_AGENT_ID and AIWM_AGENT_SECRET, and that the agent is not suspended',
  403: 'this agent may not connect here',
  404: 'the agent does not exist (any more); check AIWM_AGENT_ID',
};

const BYE_SENTENCES: Readonly<Record<Exclude<ByeReason, 'reauth'>, string>> = {
  superseded: 'a newer harness of this agent has taken over',
  unsupported: 'the controller does not speak this version of the protocol',
  ended: 'the session has ended',
  revoked: "the agent's access has been revoked",
};
