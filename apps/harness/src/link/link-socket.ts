import { type LinkAddress } from '@reins/shared/link/connect';
import { type ByeReason, type LinkErrorAck } from '@reins/shared/link/frames';
import {
  type ControllerToHarness,
  type FrameAcks,
  type FrameBody,
  type HarnessFrame,
  type HarnessToController,
} from '@reins/shared/link/socket-events';
import { type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { LinkDown, LinkRefusal, LinkTimeout } from './link-errors';

/** Why the controller did not let the socket in. */
export class HandshakeRefusal extends Error {
  override readonly name = 'HandshakeRefusal';
  constructor(
    readonly code: string | undefined,
    message: string,
    readonly retryAfterMs: number | undefined,
  ) {
    super(message);
  }
}

/** How one connection ended. */
export type SocketEnd =
  | { kind: 'lost'; reason: string }
  | { kind: 'bye'; reason: ByeReason; message: string | undefined }
  | { kind: 'drain'; reconnectAfterMs: number };

export type SocketHandlers = Pick<ControllerToHarness, 'wake' | 'command' | 'bind' | 'unbind'> & {
  /** The controller is leaving: it leases nothing more over this connection. */
  drain: () => void;
};

export interface SocketCredentials {
  token: string;
  incarnation: string;
  protocol: number;
}

type SocketIo = typeof import('socket.io-client');

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * One connection from handshake to its end. A new one is made for each: socket.io's own reconnection would send what
 * was emitted meanwhile before our hello could say where to go on.
 */
export class LinkSocket {
  /** Resolves once, when this connection is over. */
  readonly ended: Promise<SocketEnd>;
  private end: (end: SocketEnd) => void = () => undefined;
  private drainAfterMs: number | undefined;

  private constructor(private readonly socket: Socket<ControllerToHarness, HarnessToController>) {
    this.ended = new Promise((resolve) => (this.end = resolve));
  }

  /** Opens the connection; rejects with a HandshakeRefusal where the controller refuses, else with the network's error. */
  static async open(
    io: SocketIo,
    address: LinkAddress,
    credentials: SocketCredentials,
    handlers: SocketHandlers,
    signal: AbortSignal,
  ): Promise<LinkSocket> {
    const url = new URL(address.url);
    const options: Partial<ManagerOptions & SocketOptions> = {
      transports: ['websocket'],
      path: `${url.pathname.replace(/\/+$/, '')}/socket.io`,
      auth: { ...credentials },
      reconnection: false,
      forceNew: true,
      autoConnect: false,
      timeout: CONNECT_TIMEOUT_MS,
    };
    const socket: Socket<ControllerToHarness, HarnessToController> = io.io(
      `${url.origin}${address.namespace}`,
      // The option's type knows only its parameters; `false` switches compression off.
      Object.assign(options, { perMessageDeflate: false }),
    );
    const link = new LinkSocket(socket);
    link.listen(handlers);
    await new Promise<void>((resolve, reject) => {
      const abandon = (): void => {
        socket.disconnect();
        reject(new LinkDown());
      };
      signal.addEventListener('abort', abandon, { once: true });
      socket.once('connect', () => {
        signal.removeEventListener('abort', abandon);
        resolve();
      });
      socket.once('connect_error', (error) => {
        signal.removeEventListener('abort', abandon);
        socket.disconnect();
        reject(handshakeError(error));
      });
      socket.connect();
    });
    return link;
  }

  /** Sends a request and awaits its answer. Rejects with LinkRefusal, LinkTimeout or LinkDown. */
  async request<F extends HarnessFrame>(frame: F, body: FrameBody<F>, timeoutMs: number): Promise<FrameAcks[F]> {
    if (!this.socket.connected) throw new LinkDown();
    // The library types acknowledgements per event; a frame that is a type parameter is beyond it.
    const sender = this.socket.timeout(timeoutMs) as unknown as {
      emitWithAck(event: string, body: unknown): Promise<FrameAcks[F] | LinkErrorAck>;
    };
    let answer: FrameAcks[F] | LinkErrorAck;
    try {
      answer = await sender.emitWithAck(frame, body);
    } catch {
      throw this.socket.connected ? new LinkTimeout(frame) : new LinkDown();
    }
    if ('error' in answer) {
      const { code, message, retryAfterMs } = answer.error;
      throw new LinkRefusal(code, message, retryAfterMs);
    }
    return answer;
  }

  /** Ends the connection; `ended` then resolves. */
  close(reason: string): void {
    this.finish({ kind: 'lost', reason });
  }

  private listen(handlers: SocketHandlers): void {
    const { socket } = this;
    socket.on('wake', handlers.wake);
    socket.on('command', handlers.command);
    socket.on('bind', handlers.bind);
    socket.on('unbind', handlers.unbind);
    socket.on('bye', ({ reason, message }) => this.finish({ kind: 'bye', reason, message }));
    socket.on('drain', ({ reconnectAfterMs }, ack) => {
      ack({ ok: true });
      this.drainAfterMs = reconnectAfterMs;
      handlers.drain();
      // Until then the connection still takes events and heartbeats.
      setTimeout(() => this.finish({ kind: 'drain', reconnectAfterMs: 0 }), reconnectAfterMs).unref();
    });
    socket.on('disconnect', (reason) =>
      this.finish(
        this.drainAfterMs === undefined
          ? { kind: 'lost', reason }
          : { kind: 'drain', reconnectAfterMs: this.drainAfterMs },
      ),
    );
  }

  private finish(end: SocketEnd): void {
    this.end(end);
    this.socket.disconnect();
  }
}

function handshakeError(error: Error & { data?: unknown }): Error {
  const data = error.data;
  if (typeof data !== 'object' || data === null) return error;
  const { code, retryAfterMs } = data as { code?: unknown; retryAfterMs?: unknown };
  return new HandshakeRefusal(
    typeof code === 'string' ? code : undefined,
    error.message,
    typeof retryAfterMs === 'number' ? retryAfterMs : undefined,
  );
}
