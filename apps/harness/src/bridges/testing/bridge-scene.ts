import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@reins/shared/util/clock';
import { systemRng } from '@reins/shared/util/rng';
import { type AgentContext, type EffectiveConfiguration } from '../../agent/agent-context';
import { mergeSettings } from '../../config/settings';
import { type DriverFactory } from '../../drivers/driver.port';
import { createLogger, Secrets } from '../../log/logger';
import { type Bridge, type BridgeConfigs, type BridgeFactory, type BridgeName } from '../bridge.port';
import { type BridgeState } from '../bridge-runner';
import { Bridges } from '../bridges';
import { DiscordBridge } from '../discord/discord.bridge';
import { TelegramBridge } from '../telegram/telegram.bridge';
import { ScriptedAgent } from './scripted-agent';

type Settings = Record<string, unknown>;

export interface SceneOptions {
  settings?: Settings;
  env?: Record<string, string>;
  loadDriver?: (cliType: string) => Promise<DriverFactory>;
  createBridge?: BridgeFactory;
  mayServe?: boolean;
  connectMs?: number;
  maxParallel?: number;
  /** A folder of an earlier scene, to go on where it was. */
  folder?: string;
}

export interface BridgeScene {
  bridges: Bridges;
  agent: ScriptedAgent;
  folder: string;
  lines: string[];
  /** A changed configuration, as the controller sends it. */
  configure: (settings: Settings, instruction?: string) => void;
  state: (name: BridgeName) => BridgeState | undefined;
}

const scenes: { bridges: Bridges; folder: string }[] = [];

/** Ends what the test started; for `afterEach`. */
export async function endScenes(): Promise<void> {
  for (const { bridges, folder } of scenes.splice(0).reverse()) {
    await bridges.stop(0);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Both platforms' bridges in this thread, without the ones of their own that they have in a harness. */
const MAKERS: { readonly [N in BridgeName]: (config: BridgeConfigs[N]) => Bridge } = {
  discord: (config) => new DiscordBridge(config),
  telegram: (config) => new TelegramBridge(config),
};
const inThisThread: BridgeFactory = (name, config) => MAKERS[name](config);

/** The bridges of an agent whose turns the test plays. */
export function bridgeScene(options: SceneOptions = {}): BridgeScene {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'reins-bridges-'));
  const agent = new ScriptedAgent();
  const lines: string[] = [];
  const secrets = new Secrets();
  const listeners = new Set<(configuration: EffectiveConfiguration) => void>();
  let now: EffectiveConfiguration = {
    mode: 'remote',
    instruction: 'Be brief.',
    settings: mergeSettings(options.settings ?? {}, options.env ?? {}),
    allowedTools: ['Read'],
    mcpServers: { tools: { type: 'http', url: 'http://127.0.0.1/mcp' } },
  };
  const context: AgentContext = {
    configuration: () => now,
    onConfigured: (listener) => {
      listeners.add(listener);
      listener(now);
      return () => void listeners.delete(listener);
    },
  };
  const bridges = new Bridges({
    agent: context,
    mayServe: () => options.mayServe ?? true,
    env: options.env ?? {},
    workspace: join(folder, 'workspace'),
    stateDir: join(folder, 'state'),
    childEnv: { PATH: process.env.PATH ?? '' },
    loadDriver: options.loadDriver ?? (async () => agent.create),
    maxParallel: options.maxParallel ?? 4,
    secrets,
    log: createLogger({ level: 'debug', secrets, write: (line) => lines.push(line) }),
    clock: systemClock,
    rng: systemRng,
    softStopMs: 100,
    times: { retryMs: 50, retryCapMs: 200, connectMs: options.connectMs ?? 5_000 },
    createBridge: options.createBridge ?? inThisThread,
  });
  scenes.push({ bridges, folder });
  bridges.start();
  return {
    bridges,
    agent,
    folder,
    lines,
    configure: (settings, instruction = now.instruction) => {
      now = { ...now, settings: mergeSettings(settings, options.env ?? {}), instruction };
      for (const listener of listeners) listener(now);
    },
    state: (name) => bridges.states.find((state) => state.name === name),
  };
}

/** Waits until it holds. */
export async function until(what: string, holds: () => boolean, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`it did not come to this: ${what}`);
    await systemClock.sleep(10);
  }
}
