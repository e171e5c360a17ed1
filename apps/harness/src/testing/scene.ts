import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Driver,
  type DriverContext,
  type DriverFactory,
  type DriverOutcome,
  type EventSink,
} from '../drivers/driver.port';
import { Harness } from '../harness';
import { type Exit } from '../lifecycle/exit-codes';
import { AGENT_ID, ScriptedPeer, SECRET } from '../link/testing/scripted-peer';
import { createLogger, Secrets } from '../log/logger';

export type Play = (
  prompt: string,
  sink: EventSink,
  signal: AbortSignal,
  context: DriverContext,
) => Promise<Partial<DriverOutcome>>;

export interface Scene {
  peer: ScriptedPeer;
  harness: Harness;
  exit: Promise<Exit>;
  lines: string[];
  killed: string[];
  contexts: DriverContext[];
  workspace: string;
}

const scenes: { harness: Harness; exit: Promise<Exit>; peer: ScriptedPeer; folder: string }[] = [];

/** Ends what the test started; for `afterEach`. */
export async function endScenes(): Promise<void> {
  for (const { harness, exit, peer, folder } of scenes.splice(0)) {
    await Promise.all([harness.stop('test over'), exit]);
    await peer.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Says what it was asked. */
export const echo: Play = async (prompt, sink) => {
  await sink.emit('text', { text: prompt });
  return {};
};

/** A harness whose agents play what the test says, against a scripted peer. */
export async function scene(
  play: Play = echo,
  prepare: (peer: ScriptedPeer) => void = () => undefined,
  { driver, env }: { driver?: DriverFactory; env?: Record<string, string> } = {},
): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'reins-harness-'));
  const workspace = join(folder, 'workspace');
  const peer = await ScriptedPeer.start();
  prepare(peer);
  const lines: string[] = [];
  const killed: string[] = [];
  const contexts: DriverContext[] = [];
  const secrets = new Secrets();
  const harness = new Harness({
    config: {
      baseUrl: peer.url,
      agentId: AGENT_ID,
      agentSecret: SECRET,
      enabled: true,
      managed: true,
      httpTimeoutMs: 10_000,
      retryMs: 300_000,
      instructionFile: join(folder, 'instruction.md'),
      healthHost: '127.0.0.1',
      healthPort: 'off',
      alertUrl: undefined,
      workspace,
      stateDir: join(folder, 'state'),
      maxSessions: 2,
      maxLanes: 4,
      drainMs: 2_500,
      spotNotice: { url: undefined, tokenUrl: undefined, file: undefined, pollMs: 5_000 },
      connectWithinMs: 300_000,
      logLevel: 'debug',
      env: { PATH: process.env.PATH ?? '', AIWM_AGENT_SECRET: SECRET, CLAUDE_MODEL: 'from-env', ...env },
    },
    version: '0.0.0',
    incarnation: `inc-${scenes.length}-${Date.now()}`,
    supportedTypes: ['scripted'],
    loadDriver: async () => (context) => {
      contexts.push(context);
      return driver?.(context) ?? new PlayDriver(context, play, killed);
    },
    log: createLogger({ level: 'debug', secrets, write: (line) => lines.push(line) }),
    secrets,
    softStopMs: 200,
  });
  const exit = harness.run();
  scenes.push({ harness, exit, peer, folder });
  return { peer, harness, exit, lines, killed, contexts, workspace };
}

/** A driver whose turns are functions of the test. */
class PlayDriver implements Driver {
  readonly capabilities = { deltas: true, resume: true, usage: true, permissions: false };
  conversationId: string | undefined;
  readonly pid = undefined;
  private end: () => void = () => undefined;

  constructor(
    private readonly context: DriverContext,
    private readonly play: Play,
    private readonly killed: string[],
  ) {}

  async start(): Promise<void> {}

  async prompt(turn: { prompt: string }, sink: EventSink, signal: AbortSignal): Promise<DriverOutcome> {
    this.conversationId = this.context.resumeId ?? `conversation-${this.context.lane}`;
    const killed = new Promise<Partial<DriverOutcome>>((resolve) => {
      this.end = () => resolve({ status: 'failed', stopReason: 'process_exited' });
    });
    const outcome = await Promise.race([this.play(turn.prompt, sink, signal, this.context), killed]);
    return { status: 'complete', stopReason: 'end_turn', usage: undefined, ...outcome };
  }

  async kill(): Promise<void> {
    this.killed.push(this.context.lane);
    this.end();
  }

  async stop(): Promise<void> {
    this.end();
  }
}

export const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
