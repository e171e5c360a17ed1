import { type LinkAddress } from '@reins/shared/link/connect';
import { type Hello, type Welcome } from '@reins/shared/link/frames';
import { LINK } from '@reins/shared/link/limits';
import { type FrameAcks, type FrameBody, type HarnessFrame } from '@reins/shared/link/socket-events';
import { type Clock, systemClock } from '@reins/shared/util/clock';
import { backoffMs } from '@reins/shared/util/retry';
import { type Rng, systemRng } from '@reins/shared/util/rng';
import { describeError, type Logger } from '../log/logger';
import { type ClientCounters } from '../metrics/counters';
import { type AgentConfiguration, type ControllerApi, type HttpHeartbeat } from './controller-api';
import { failureFields, HttpRefusal } from './http';
import { finalBye, finalRefusal, type LinkEnd } from './link-end';
import { LinkDown } from './link-errors';
import { HandshakeRefusal, LinkSocket, type SocketEnd, type SocketHandlers } from './link-socket';
import { TokenKeeper } from './token-keeper';

export interface LinkHandlers extends SocketHandlers {
  /** The agent's configuration, at every connect by HTTP. */
  configured: (configuration: AgentConfiguration) => void;
  /** The controller was away at the start; it is tried again every `retryMs`. */
  unreachable: () => void;
  /** What a heartbeat over HTTP says, where the controller has no link. */
  vitals: () => HttpHeartbeat;
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
  /** How often a controller that was away at the start is tried; undefined: as often as one that was lost. */
  retryMs?: number | undefined;
  counters: ClientCounters;
  log: Logger;
  clock?: Clock;
  rng?: Rng;
}

/** Where the controller has no link. */
const HTTP_HEARTBEAT_MS = 60_000;
const TOKEN_CODES: ReadonlySet<string> = new Set([
  'token_expired',
  'token_invalid',
  'token_revoked',
  'unauthenticated',
  'agent_suspended',
  'agent_not_found',
]);

/** The harness's side of the link: connects, says hello, and connects again until it is told not to. */
export class Link {
  private readonly closing = new AbortController();
  private readonly clock: Clock;
  private readonly rng: Rng;
  private readonly keeper: TokenKeeper;
  private readonly over: Promise<LinkEnd>;
  private finish: (end: LinkEnd) => void = () => undefined;
  private socket: LinkSocket | undefined;
  private isUp = false;
  private isHeard = false;
  private address: LinkAddress | undefined;
  private loadedIo: Promise<typeof import('socket.io-client')> | undefined;

  constructor(private readonly options: LinkOptions) {
    const { api, handlers, retryMs, counters, log, clock = systemClock, rng = systemRng } = options;
    this.clock = clock;
    this.rng = rng;
    this.over = new Promise((resolve) => (this.finish = resolve));
    this.keeper = new TokenKeeper({
      api,
      configured: (configuration) => {
        this.address = configuration.link;
        handlers.configured(configuration);
      },
      unreachable: handlers.unreachable,
      retryMs,
      onSent: () => void this.io(),
      counters,
      log,
      clock,
      rng,
      signal: this.closing.signal,
    });
  }

  /** Whether hello has been answered, so that requests may be sent. */
  get up(): boolean {
    return this.isUp;
  }

  /** Whether the controller hears this harness: by the link or, where it has none, by the last heartbeat over HTTP. */
  get connected(): boolean {
    return this.isUp || this.isHeard;
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

  /** The token has ended before its time: another one is fetched. */
  renew(): void {
    this.keeper.renew().then(
      (end) => end !== undefined && this.finish(end),
      () => undefined,
    );
  }

  /** Keeps the link up; resolves when it is over for good. */
  async run(): Promise<LinkEnd> {
    const loop = this.loop();
    try {
      return await Promise.race([loop, this.over]);
    } catch (error) {
      if (this.closing.signal.aborted) return { reason: 'closed', message: 'the harness was stopped' };
      throw error;
    } finally {
      this.closing.abort(new Error('the link is over'));
      this.socket?.close('the link is over');
      await loop.catch(() => undefined);
      this.isUp = this.isHeard = false;
    }
  }

  private async loop(): Promise<LinkEnd> {
    const refused = await this.keeper.renew();
    if (refused !== undefined) return refused;
    void this.keeper.keepFresh().then(this.finish, () => undefined);
    for (let attempt = 1; ; attempt++) {
      if (this.address === undefined) {
        const gone = await this.overHttp();
        if (gone !== undefined) return gone;
        attempt = 0;
        continue;
      }
      this.isHeard = false;
      let waitMs: number | undefined;
      let authenticate: boolean;
      try {
        const { end, welcomed } = await this.connection(this.address);
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
        this.options.counters.connectionFailed(describeError(error));
        this.options.log.warn('no connection to the controller', { reason: describeError(error) });
      }
      waitMs ??= backoffMs(Math.max(1, attempt), LINK.reconnectMinMs / 2, LINK.reconnectMaxMs, this.rng);
      await this.clock.sleep(waitMs, this.closing.signal);
      if (authenticate) {
        const refusedAgain = await this.keeper.renew();
        if (refusedAgain !== undefined) return refusedAgain;
      }
    }
  }

  /** One connection from handshake to end. */
  private async connection(address: LinkAddress): Promise<{ end: SocketEnd; welcomed: boolean }> {
    const { api, incarnation, handlers, counters, log } = this.options;
    const io = await this.io();
    const credentials = { token: api.token, incarnation, protocol: LINK.protocol };
    const socket = await LinkSocket.open(io, address, credentials, handlers, this.closing.signal);
    this.socket = socket;
    let welcomed = false;
    try {
      const welcome = await socket.request('hello', handlers.hello(), LINK.ackTimeoutMs);
      if (welcome.resume === 'superseded') {
        return { end: { kind: 'bye', reason: 'superseded', message: undefined }, welcomed };
      }
      welcomed = this.isUp = true;
      counters.connectionUp();
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
    this.options.counters.connectionLost('reason' in end ? end.reason : end.kind);
    return end.kind === 'bye' ? finalBye(end.reason, end.message) : undefined;
  }

  /** One heartbeat over HTTP and the wait for the next; a failed one never ends anything but an agent that is gone. */
  private async overHttp(): Promise<LinkEnd | undefined> {
    const { api, handlers, counters, log } = this.options;
    try {
      await api.heartbeat(handlers.vitals(), this.closing.signal);
      counters.heartbeatSucceeded();
      this.isHeard = true;
    } catch (error) {
      this.closing.signal.throwIfAborted();
      this.isHeard = false;
      counters.heartbeatFailed(describeError(error));
      log.warn('heartbeat failed', failureFields(error));
      const refusal = error instanceof HttpRefusal ? error : undefined;
      if (refusal?.status === 404) return finalRefusal(refusal);
      const refused = refusal?.status === 401 ? await this.keeper.renew() : undefined;
      if (refused !== undefined) return refused;
    }
    await this.clock.sleep(HTTP_HEARTBEAT_MS, this.closing.signal);
    return undefined;
  }

  /** Loaded while the first connect's answer is awaited, which hides most of its cost. */
  private io(): Promise<typeof import('socket.io-client')> {
    return (this.loadedIo ??= import('socket.io-client'));
  }
}
