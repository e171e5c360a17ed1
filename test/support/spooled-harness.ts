import { newId } from '@reins/shared/ids';
import { type ConnectResponse } from '@reins/shared/link/connect';
import { type EventItem } from '@reins/shared/link/events';
import { type PulledTurn } from '@reins/shared/link/frames';
import { type FrameAcks, type FrameBody, type HarnessFrame } from '@reins/shared/link/socket-events';
import { type Interval, startInterval, systemClock } from '@reins/shared/util';
import { type Credentials, endOf, ScriptedHarness, textOf } from './scripted-harness';

const BATCH_EVENTS = 64;
const BEAT_MS = 10_000;
const BACK_WITHIN_MS = 1_000;
const LOOK_MS = 20;

type Item = Omit<EventItem, 'n'>;
interface Held {
  turn: PulledTurn;
  state: 'leased' | 'running';
  /** Number of its last words, once they are spooled. */
  end?: number;
}

/** Gives the texts of a turn, in the tempo it is to be told in. */
export type Script = (turn: PulledTurn) => AsyncIterable<string>;

/**
 * A harness of one session that lives through its connections: what it says is spooled until it is durable, and whenever
 * a connection ends it comes back through the same address and goes on from what the controller has.
 */
export class SpooledHarness {
  /** The texts of each turn, in order. */
  readonly said = new Map<string, string[]>();
  /** What no restart of a controller may do to a harness. */
  readonly faults: string[] = [];
  /** Why it was not let in, each time: as it has to be while controllers come and go, if it passes. */
  readonly refusals: string[] = [];
  connects = 0;
  private readonly incarnation = newId('incarnation');
  private readonly over = new AbortController();
  private spool: EventItem[] = [];
  private next = 1;
  private held: Held | undefined;
  private link: ScriptedHarness | undefined;
  private configuration: ConnectResponse | undefined;
  private isReady = false;

  constructor(
    private readonly url: string,
    private readonly credentials: Credentials,
    private readonly script: Script,
  ) {}

  get isConnected(): boolean {
    return this.link?.socket.connected === true;
  }

  /** How many events it has said. */
  get spoken(): number {
    return this.next - 1;
  }

  /** Works until `stop`. */
  async run(): Promise<void> {
    await Promise.all([this.stayConnected(), this.push(), this.work()]);
  }

  stop(): void {
    this.over.abort();
    this.link?.close();
  }

  private async stayConnected(): Promise<void> {
    while (!this.over.signal.aborted) {
      try {
        await this.connection();
      } catch (error) {
        this.refusals.push(String(error));
      }
      this.link = undefined;
      await this.pause(Math.random() * BACK_WITHIN_MS);
    }
  }

  /** One connection, from its opening to its end. */
  private async connection(): Promise<void> {
    const { url, credentials, incarnation } = this;
    this.configuration ??= await ScriptedHarness.login(url, credentials, incarnation);
    const link = await ScriptedHarness.open(url, credentials, incarnation, this.configuration);
    let beating: Interval | undefined;
    try {
      const ended = new Promise<void>((resolve) => {
        link.socket.once('disconnect', () => resolve());
        link.socket.once('drain', ({ reconnectAfterMs }: { reconnectAfterMs: number }) => {
          setTimeout(resolve, reconnectAfterMs);
        });
      });
      link.socket.on('bye', ({ reason }: { reason: string }) => this.faults.push(`bye: ${reason}`));
      await this.greet(link);
      this.connects++;
      this.link = link;
      beating = startInterval({ everyMs: BEAT_MS, run: () => this.beat(link), onError: () => undefined });
      await ended;
    } finally {
      link.close();
      await beating?.stop();
    }
  }

  private async greet(link: ScriptedHarness): Promise<void> {
    const { held } = this;
    const turns = held === undefined ? [] : [{ ...idOf(held.turn), state: held.state }];
    const welcome = await link.hello({ next: this.next, spooledFrom: this.spool[0]?.n ?? this.next, turns });
    if ('error' in welcome) throw new Error(`hello was refused: ${JSON.stringify(welcome)}`);
    const answer = welcome.sessions.find(({ sessionId }) => sessionId === link.sessionId);
    if (answer === undefined) throw new Error('the session is not among those of the welcome');
    this.acknowledge(answer.acked);
    const verdict = answer.turns.find(({ turnId }) => turnId === this.held?.turn.turnId)?.verdict;
    // Its last words may have become durable by the connection before, after this hello had read how far the log goes.
    if (verdict === 'abandon' && this.held?.end === undefined)
      this.faults.push(`the turn ${this.held?.turn.turnId} was taken away`);
    if (!this.isReady) {
      const ready = await link.call('ready', { sessionId: link.sessionId, timings: {} });
      if ('error' in ready) throw new Error(`ready was refused: ${JSON.stringify(ready)}`);
      this.isReady = true;
    }
  }

  private async beat(link: ScriptedHarness): Promise<void> {
    const progress = { lastOutputAt: new Date().toISOString(), state: 'working' };
    const turns = this.held === undefined ? [] : [{ sessionId: link.sessionId, ...idOf(this.held.turn), progress }];
    const fields = { metrics: {}, alive: true as const, lastCommand: {}, configVersion: '' };
    const answer = await link.call('heartbeat', { status: 'busy', turns, ...fields });
    if ('error' in answer) return;
    const fenced = answer.leases.find((lease) => 'fenced' in lease && lease.turnId === this.held?.turn.turnId);
    if (fenced !== undefined && this.held?.end === undefined)
      this.faults.push(`the lease of ${fenced.turnId} was gone`);
  }

  private async work(): Promise<void> {
    while (!this.over.signal.aborted) {
      const { sessionId = '' } = this.link ?? {};
      const pulled = await this.request('turn.pull', { sessions: [sessionId], slots: 1 });
      if (pulled === undefined) return;
      if (!('turn' in pulled)) {
        await this.pause(Math.min(pulled.retryAfterMs, BACK_WITHIN_MS));
        continue;
      }
      await this.play(pulled.turn);
    }
  }

  private async play(turn: PulledTurn): Promise<void> {
    const held: Held = { turn, state: 'leased' };
    this.held = held;
    const started = await this.request('turn.started', { sessionId: turn.sessionId, ...idOf(turn) });
    if (started === undefined || 'fenced' in started) {
      this.faults.push(`the turn ${turn.turnId} was gone before it was started`);
      this.held = undefined;
      return;
    }
    held.state = 'running';
    const said: string[] = [];
    this.said.set(turn.turnId, said);
    for await (const text of this.script(turn)) {
      if (this.over.signal.aborted) return;
      said.push(text);
      this.emit(textOf(turn, text));
    }
    held.end = this.emit(endOf(turn));
    while (this.held === held && !this.over.signal.aborted) await this.pause(LOOK_MS);
  }

  private emit(item: Item): number {
    this.spool.push({ ...item, n: this.next });
    return this.next++;
  }

  /** One push at a time, of what is spooled by then. */
  private async push(): Promise<void> {
    while (!this.over.signal.aborted) {
      const items = this.spool.slice(0, BATCH_EVENTS);
      const [first] = items;
      if (first === undefined) {
        await this.pause(LOOK_MS);
        continue;
      }
      const { link } = this;
      const answer = await this.once('events', { sessionId: link?.sessionId ?? '', from: first.n, items });
      if (answer === undefined) await this.pause(LOOK_MS);
      else if ('expect' in answer) this.expected(answer.expect);
      else {
        this.acknowledge(answer.acked);
        for (const turnId of answer.fenced ?? []) this.faults.push(`events of ${turnId} were refused`);
      }
    }
  }

  private expected(n: number): void {
    const oldest = this.spool[0]?.n ?? this.next;
    if (n < oldest) this.faults.push(`${n} was asked for again; ${oldest - 1} was acknowledged as durable`);
    else this.acknowledge(n - 1);
  }

  private acknowledge(acked: number): void {
    this.spool = this.spool.filter(({ n }) => n > acked);
    if (this.held?.end !== undefined && this.held.end <= acked) this.held = undefined;
  }

  /** Asks until there is an answer, over as many connections as that takes; undefined once it is over. */
  private async request<F extends HarnessFrame>(frame: F, body: FrameBody<F>): Promise<FrameAcks[F] | undefined> {
    while (!this.over.signal.aborted) {
      const answer = await this.once(frame, { ...body, ...this.sessionsOf(frame) });
      if (answer !== undefined) return answer;
      await this.pause(LOOK_MS);
    }
    return undefined;
  }

  /** A pull that waits for the first connection does not know its session before that. */
  private sessionsOf(frame: HarnessFrame): object {
    return frame === 'turn.pull' ? { sessions: [this.link?.sessionId ?? ''] } : {};
  }

  private async once<F extends HarnessFrame>(frame: F, body: FrameBody<F>): Promise<FrameAcks[F] | undefined> {
    const { link } = this;
    if (link?.socket.connected !== true) return undefined;
    try {
      const answer = await link.call(frame, body);
      return answer.error === undefined ? answer : undefined;
    } catch {
      return undefined;
    }
  }

  private pause(ms: number): Promise<void> {
    return systemClock.sleep(ms, this.over.signal).catch(() => undefined);
  }
}

function idOf({ turnId, generation }: PulledTurn): { turnId: string; generation: number } {
  return { turnId, generation };
}
