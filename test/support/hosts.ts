import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentView } from '@reins/shared/api/agents';
import { newId } from '@reins/shared/ids';
import { type ConnectResponse, type SessionDescriptor } from '@reins/shared/link/connect';
import { type PulledTurn, type Welcome } from '@reins/shared/link/frames';
import { type Interval, startInterval } from '@reins/shared/util';
import { loadConfig } from '../../apps/harness/src/config/load-config';
import { type DriverContext, type DriverOutcome, type EventSink } from '../../apps/harness/src/drivers/driver.port';
import { Harness } from '../../apps/harness/src/harness';
import { type Exit } from '../../apps/harness/src/lifecycle/exit-codes';
import { createLogger, Secrets } from '../../apps/harness/src/log/logger';
import { type ApiClient, eventually } from './api-client';
import { type Credentials, endOf, ScriptedHarness, textOf } from './scripted-harness';

/** Well within the beats that the tests' controllers ask for. */
const BEAT_MS = 100;
const SECRET = 'the secret of a host in a test';

/** An autonomous agent that nobody has connected as yet. */
export async function newHost(api: ApiClient, name: string, more: object = {}): Promise<Credentials> {
  const body = { name, description: 'a host', status: 'active', type: 'autonomous', secret: SECRET, ...more };
  const { _id } = await api.must<AgentView>('POST', '/agents', body);
  return { agentId: _id, secret: SECRET };
}

export interface HostFacts {
  capacity?: number;
  supportedTypes?: string[];
  metrics?: Record<string, unknown>;
  incarnation?: string;
}

type BindAnswer = { bound: true } | { error: { code: string; message: string } } | 'silence';

/** A host whose every frame the test decides: it says ready to what it is given, unless told otherwise. */
export class ScriptedHost {
  readonly binds: SessionDescriptor[] = [];
  readonly unbinds: { sessionId: string; reason: string; remove?: boolean }[] = [];
  readonly byes: string[] = [];
  answer: (session: SessionDescriptor) => BindAnswer = () => ({ bound: true });
  saysReady = true;
  welcome: Welcome | undefined;
  private readonly numbers = new Map<string, number>();
  private readonly beating: Interval;

  private constructor(
    readonly harness: ScriptedHarness,
    readonly agentId: string,
    private readonly metrics: Record<string, unknown>,
  ) {
    const { socket } = harness;
    for (const event of ['bind', 'unbind', 'bye']) socket.removeAllListeners(event);
    socket.on('bind', ({ session }: { session: SessionDescriptor }, ack: (answer: object) => void) => {
      this.binds.push(session);
      const answer = this.answer(session);
      if (answer === 'silence') return;
      ack(answer);
      // The test may be over before it is heard.
      if ('bound' in answer && this.saysReady) this.ready(session.id).catch(() => undefined);
    });
    socket.on('unbind', (body: { sessionId: string; reason: string; remove?: boolean }, ack: (a: object) => void) => {
      this.unbinds.push(body);
      ack({ ok: true });
    });
    socket.on('bye', ({ reason }: { reason: string }) => this.byes.push(reason));
    // One that is closed in the middle of a beat has nothing to say about it.
    this.beating = startInterval({ everyMs: BEAT_MS, run: () => this.beat(), onError: () => undefined });
    socket.on('disconnect', () => void this.beating.stop());
  }

  static async connect(url: string, credentials: Credentials, facts: HostFacts = {}): Promise<ScriptedHost> {
    const { capacity = 5, supportedTypes = ['javascript'], metrics = {}, incarnation = newId('incarnation') } = facts;
    const response = await fetch(`${url}/agents/${credentials.agentId}/connect`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ secret: credentials.secret, incarnation, capacity, supportedTypes }),
    });
    if (!response.ok) throw new Error(`connect answered ${response.status}: ${await response.text()}`);
    const configuration = (await response.json()) as ConnectResponse;
    const harness = await ScriptedHarness.open(url, credentials, incarnation, configuration);
    const host = new ScriptedHost(harness, credentials.agentId, metrics);
    await host.beat();
    await host.hello();
    return host;
  }

  get sessions(): string[] {
    return this.binds.map(({ id }) => id);
  }

  async hello(sessions: string[] = []): Promise<Welcome> {
    const out = { next: 1, spooledFrom: 1 };
    const known = sessions.map((sessionId) => ({ sessionId, out, lastCommand: { main: 0, abort: 0 }, turns: [] }));
    this.welcome = await this.harness.call('hello', {
      bootAt: new Date().toISOString(),
      harness: { version: '0.0.0', capabilities: [] },
      slots: 4,
      sessions: known,
    });
    if (this.saysReady) for (const { sessionId } of this.welcome.sessions) await this.ready(sessionId);
    return this.welcome;
  }

  async beat(): Promise<void> {
    const status = 'idle' as const;
    await this.harness.call('heartbeat', {
      status,
      metrics: this.metrics,
      alive: true,
      turns: [],
      lastCommand: {},
      configVersion: '',
    });
  }

  ready(sessionId: string): Promise<{ ok: true }> {
    return this.harness.call('ready', { sessionId, timings: {} });
  }

  /** Pulls and starts a turn of the session, as soon as the session is here. */
  async take(sessionId: string): Promise<PulledTurn> {
    return eventually(async () => {
      const answer = await this.harness.call('turn.pull', { sessions: [sessionId], slots: 1 });
      if (!('turn' in answer)) throw new Error(`nothing was pulled: ${JSON.stringify(answer)}`);
      await this.harness.call('turn.started', this.harness.about(answer.turn));
      return answer.turn;
    });
  }

  /** Ends a turn with this answer. */
  async finish(turn: PulledTurn, text: string): Promise<void> {
    const from = this.numbers.get(turn.sessionId) ?? 1;
    const items = [textOf(turn, text), endOf(turn)].map((item, index) => ({ ...item, n: from + index }));
    await this.harness.call('events', { sessionId: turn.sessionId, from, items });
    this.numbers.set(turn.sessionId, from + items.length);
  }

  close(): void {
    this.harness.close();
  }
}

/** What an agent of a test does with a prompt; what it returns is its answer. */
export type Play = (prompt: string, context: DriverContext, signal: AbortSignal) => Promise<string>;

export interface RealHost {
  harness: Harness;
  folder: string;
  exit: Promise<Exit>;
  lines: string[];
  /** Ends it; its folder stays, for another one started there. */
  stop(): Promise<void>;
  remove(): void;
}

/** The harness as it is, in this process, with agents that play what the test says. */
export function startRealHost(
  url: string,
  { agentId, secret }: Credentials,
  play: Play,
  {
    folder = mkdtempSync(join(tmpdir(), 'reins-host-')),
    env = {},
  }: { folder?: string; env?: Record<string, string> } = {},
): RealHost {
  const environment = {
    PATH: process.env.PATH ?? '',
    AIWM_BASE_URL: url,
    AIWM_AGENT_ID: agentId,
    AIWM_AGENT_SECRET: secret,
    REINS_DRAIN_SECONDS: '2',
    ...env,
  };
  const lines: string[] = [];
  const secrets = new Secrets();
  const harness = new Harness({
    config: loadConfig([], environment, folder),
    version: '0.0.0',
    incarnation: newId('incarnation'),
    supportedTypes: ['javascript', 'claude-code'],
    loadDriver: async () => (context) => ({
      capabilities: { deltas: true, resume: true, usage: true, permissions: false },
      conversationId: undefined,
      pid: undefined,
      start: async () => undefined,
      prompt: async ({ prompt }: { prompt: string }, sink: EventSink, signal: AbortSignal): Promise<DriverOutcome> => {
        await sink.emit('text', { text: await play(prompt, context, signal) });
        return { status: 'complete', stopReason: 'end_turn', usage: undefined };
      },
      kill: async () => undefined,
      stop: async () => undefined,
    }),
    log: createLogger({ level: 'debug', secrets, write: (line) => lines.push(line) }),
    secrets,
    softStopMs: 200,
  });
  const exit = harness.run();
  return {
    harness,
    folder,
    exit,
    lines,
    stop: async () => {
      await Promise.all([harness.stop('test over'), exit]);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
