import { type ConnectResponse } from '@reins/shared/link/connect';
import { type EventItem } from '@reins/shared/link/events';
import { type PulledTurn, type Welcome } from '@reins/shared/link/frames';
import { type FrameAcks, type FrameBody, type HarnessFrame } from '@reins/shared/link/socket-events';
import { newId } from '@reins/shared/ids';
import { io, type Socket } from 'socket.io-client';

export interface Credentials {
  agentId: string;
  secret: string;
}

interface HelloOptions {
  next?: number;
  spooledFrom?: number;
  turns?: { turnId: string; generation: number; state: 'leased' | 'running' }[];
}

type Answer<F extends HarnessFrame> = FrameAcks[F] & { error?: { code: string; message: string } };

/** A harness whose every frame the test sends itself: for orders of events that a real one never shows. */
export class ScriptedHarness {
  readonly received: { event: string; body: unknown }[] = [];

  private constructor(
    readonly url: string,
    readonly credentials: Credentials,
    readonly incarnation: string,
    readonly configuration: ConnectResponse,
    readonly socket: Socket,
  ) {
    for (const event of ['wake', 'command', 'drain', 'bye', 'bind', 'unbind']) {
      socket.on(event, (body: unknown, ack?: (answer: object) => void) => {
        this.received.push({ event, body });
        ack?.({ received: true, ok: true });
      });
    }
  }

  /** Connects by HTTP and by socket; rejects with the socket's error where it is not let in. */
  static async connect(
    url: string,
    credentials: Credentials,
    incarnation = newId('incarnation'),
  ): Promise<ScriptedHarness> {
    const configuration = await ScriptedHarness.login(url, credentials, incarnation);
    return ScriptedHarness.open(url, credentials, incarnation, configuration);
  }

  static async login(url: string, { agentId, secret }: Credentials, incarnation?: string): Promise<ConnectResponse> {
    const response = await fetch(`${url}/agents/${agentId}/connect`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ secret, incarnation }),
    });
    if (!response.ok) throw new Error(`connect answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as ConnectResponse;
  }

  /** A socket with the token of an earlier login. */
  static async open(
    url: string,
    credentials: Credentials,
    incarnation: string,
    configuration: ConnectResponse,
  ): Promise<ScriptedHarness> {
    const socket = io(`${url}/harness`, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      auth: { token: configuration.token, incarnation, protocol: 1 },
    });
    const harness = new ScriptedHarness(url, credentials, incarnation, configuration, socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    return harness;
  }

  get sessionId(): string {
    return this.configuration.session?.id ?? '';
  }

  call<F extends HarnessFrame>(frame: F, body: FrameBody<F>): Promise<Answer<F>> {
    return this.socket.timeout(40_000).emitWithAck(frame, body) as Promise<Answer<F>>;
  }

  hello({ next = 1, spooledFrom = 1, turns = [] }: HelloOptions = {}): Promise<Welcome> {
    return this.call('hello', {
      bootAt: new Date().toISOString(),
      harness: { version: '0.0.0', capabilities: [] },
      slots: 4,
      sessions: [{ sessionId: this.sessionId, out: { next, spooledFrom }, lastCommand: { main: 0, abort: 0 }, turns }],
    });
  }

  async start(): Promise<void> {
    await this.hello();
    await this.call('ready', { sessionId: this.sessionId, timings: {} });
  }

  async pull(): Promise<PulledTurn> {
    const answer = await this.call('turn.pull', { sessions: [this.sessionId], slots: 4 });
    if (!('turn' in answer)) throw new Error(`nothing was pulled: ${JSON.stringify(answer)}`);
    return answer.turn;
  }

  /** Pulls the next turn and reports it as started. */
  async take(): Promise<PulledTurn> {
    const turn = await this.pull();
    await this.call('turn.started', this.about(turn));
    return turn;
  }

  about(turn: PulledTurn): { sessionId: string; turnId: string; generation: number } {
    return { sessionId: turn.sessionId, turnId: turn.turnId, generation: turn.generation };
  }

  push(from: number, items: Omit<EventItem, 'n'>[]): Promise<Answer<'events'>> {
    const numbered = items.map((item, index) => ({ ...item, n: from + index }));
    return this.call('events', { sessionId: this.sessionId, from, items: numbered });
  }

  close(): void {
    this.socket.disconnect();
  }
}

const now = (): string => new Date().toISOString();

export function textOf(turn: PulledTurn, text: string): Omit<EventItem, 'n'> {
  return { at: now(), turnId: turn.turnId, generation: turn.generation, type: 'text', data: { text } };
}

export function endOf(turn: PulledTurn, status = 'complete'): Omit<EventItem, 'n'> {
  const data = { status, stopReason: 'end_turn', usage: { tokensIn: 3, tokensOut: 2 }, artifacts: [] };
  return { at: now(), turnId: turn.turnId, generation: turn.generation, type: 'turn.completed', data };
}
