import { join } from 'node:path';
import { type Clock } from '@reins/shared/util/clock';
import { startInterval } from '@reins/shared/util/interval';
import { retry } from '@reins/shared/util/retry';
import { type Rng } from '@reins/shared/util/rng';
import { type AgentContext, type EffectiveConfiguration } from '../agent/agent-context';
import { describeError, type Logger, type Secrets } from '../log/logger';
import { AgentRunner, type AgentRunnerOptions } from './agent-runner';
import { BridgeRunner, type BridgeState, type BridgeTimes } from './bridge-runner';
import {
  BRIDGE_NAMES,
  type BridgeConfigs,
  type BridgeFactory,
  type BridgeMessage,
  type BridgeName,
  BridgeRefused,
  MESSAGE_LIMITS,
} from './bridge.port';
import { bridgeConfigs, listedPlaces } from './bridge-settings';
import { Conversations } from './conversations';
import { RecentIds } from './recent-ids';
import { REPLIES, replyTo } from './replies';
import { splitText } from './split-text';
import { WorkerBridge } from './worker/worker-bridge';

export interface BridgesOptions {
  agent: AgentContext;
  /** False for an agent that lives for one session: a bot must not be answered by several harnesses. */
  mayServe: () => boolean;
  env: Readonly<Record<string, string>>;
  workspace: string;
  stateDir: string;
  childEnv: Readonly<Record<string, string>>;
  loadDriver: AgentRunnerOptions['loadDriver'];
  /** Conversations answered at the same time. */
  maxParallel: number;
  secrets: Secrets;
  log: Logger;
  clock: Clock;
  rng: Rng;
  softStopMs?: number;
  times?: Partial<BridgeTimes>;
  /** Default: each bridge in a thread of its own. */
  createBridge?: BridgeFactory;
}

interface Work {
  name: BridgeName;
  message: BridgeMessage;
}

interface Active {
  runner: BridgeRunner;
  fingerprint: string;
  /** Places whose messages are taken. */
  listed: readonly string[];
}

const MAX_WAITING = 10;
/** Telegram shows it for 5 s, Discord for 10 s. */
const TYPING_EVERY_MS = 4_000;
/** When everything stops, a message that was not answered is told so, if that goes quickly. */
const FAREWELL_MS = 2_000;
/** An answer waits about two minutes for a platform that is away. */
const SEND_DELAYS_MS = [500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000];

/** The bridges of one agent: from its settings to running bots, from a message to its answer. Nothing here ever throws. */
export class Bridges {
  private readonly active = new Map<BridgeName, Active>();
  /** Why a bridge that is not active is off. */
  private readonly off = new Map<BridgeName, string>();
  private readonly conversations: Conversations<Work>;
  private readonly agents: AgentRunner;
  private readonly seen = new RecentIds();
  /** Conversations that were told that they are full, until they take a message again. */
  private readonly toldFull = new Set<string>();
  /** Changes of the settings are carried out one after the other. */
  private changes: Promise<void> = Promise.resolve();
  private unsubscribe: () => void = () => undefined;
  private stopping = false;

  constructor(private readonly options: BridgesOptions) {
    const { agent, loadDriver, workspace, stateDir, childEnv, maxParallel, clock, softStopMs } = options;
    const log = options.log;
    this.agents = new AgentRunner({
      agent,
      loadDriver,
      workspaces: join(workspace, 'bridges'),
      stateDirs: join(stateDir, 'bridges'),
      childEnv,
      maxWarm: maxParallel,
      log,
      clock,
      ...(softStopMs !== undefined && { softStopMs }),
    });
    this.conversations = new Conversations({
      run: (name, work, signal) => this.answer(name, work, signal),
      maxParallel,
      maxWaiting: MAX_WAITING,
      log,
    });
  }

  /** How each bridge is, for /health. */
  get states(): BridgeState[] {
    return BRIDGE_NAMES.map((name): BridgeState => {
      const state = this.active.get(name)?.runner.state;
      const reason = state === undefined ? this.off.get(name) : state.reason;
      const safe = reason === undefined ? {} : { reason: this.options.secrets.redact(reason) };
      return { name, state: state?.state ?? 'off', ...safe };
    });
  }

  /** Follows the agent's settings from now on. */
  start(): void {
    this.unsubscribe = this.options.agent.onConfigured((configuration) => this.configure(configuration));
  }

  /** Messages that are being answered may go on for `graceMs`; then everything ends. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    this.unsubscribe();
    await this.changes;
    await this.conversations.end(() => true, graceMs);
    await Promise.all([...this.active.values()].map(({ runner }) => runner.stop()));
    await this.agents.stop();
  }

  private configure({ settings }: EffectiveConfiguration): void {
    const { mayServe, env, secrets, log } = this.options;
    const configs = mayServe() ? bridgeConfigs(settings, env) : {};
    for (const config of Object.values(configs)) secrets.add(config.token);
    const change = async (): Promise<void> => {
      if (this.stopping) return;
      await Promise.all(BRIDGE_NAMES.map((name) => this.apply(name, configs[name])));
    };
    this.changes = this.changes.then(change).catch((error: unknown) => {
      log.error('the bridges could not follow the settings', { reason: describeError(error) });
    });
  }

  /** Brings one bridge to what the settings say; one whose settings are the same is left alone. */
  private async apply<N extends BridgeName>(name: N, config: BridgeConfigs[N] | undefined): Promise<void> {
    const listed = config === undefined ? [] : listedPlaces(config);
    const fingerprint = JSON.stringify(config);
    const before = this.active.get(name);
    if (config !== undefined && before?.fingerprint === fingerprint) return;
    if (before !== undefined) {
      before.listed = listed;
      const stays = listed.map((channel) => conversationName(name, { channel }));
      const isOurs = (other: string): boolean => other.startsWith(`${name}-`);
      const mayStay = (other: string): boolean => stays.some((stay) => other === stay || other.startsWith(`${stay}-`));
      await this.conversations.end((other) => isOurs(other) && !mayStay(other));
      this.active.delete(name);
      await before.runner.stop();
    }
    const log = this.options.log.child({ bridge: name });
    if (config !== undefined && listed.length > 0) {
      this.off.delete(name);
      this.active.set(name, { runner: this.run(name, config, log), fingerprint, listed });
    } else {
      const reason = config === undefined ? undefined : 'a token is set, but no channel or group it may answer in';
      if (reason !== undefined && this.off.get(name) !== reason) log.warn('bridge off', { reason });
      if (reason === undefined) this.off.delete(name);
      else this.off.set(name, reason);
      if (before !== undefined) log.info('bridge stopped');
    }
  }

  private run<N extends BridgeName>(name: N, config: BridgeConfigs[N], log: Logger): BridgeRunner {
    const { clock, rng, times } = this.options;
    const create = this.options.createBridge ?? ((its, with_) => new WorkerBridge(its, with_));
    const runner = new BridgeRunner({
      name,
      create: () => create(name, config),
      onMessage: (message) => this.received(name, message),
      log,
      clock,
      rng,
      ...(times !== undefined && { times }),
    });
    runner.start();
    return runner;
  }

  private received(name: BridgeName, message: BridgeMessage): void {
    const { channel, thread = channel } = message.place;
    const listed = this.active.get(name)?.listed ?? [];
    if (this.stopping || !(listed.includes(channel) || listed.includes(thread))) return;
    // A platform tells again what it does not know to be received.
    if (!this.seen.add(`${name} ${message.place.channel} ${message.id}`)) return;
    const conversation = conversationName(name, message.place);
    if (this.conversations.offer(conversation, { name, message })) {
      this.toldFull.delete(conversation);
    } else if (!this.toldFull.has(conversation)) {
      this.toldFull.add(conversation);
      this.options.log.warn('a conversation takes no more messages for now', { conversation });
      void this.reply(conversation, { name, message }, REPLIES.full, []);
    }
  }

  private async answer(conversation: string, work: Work, signal: AbortSignal): Promise<void> {
    const { text, attachments } = work.message;
    if (text === '') return this.reply(conversation, work, REPLIES.onlyAttachment, SEND_DELAYS_MS, signal);
    const typing = this.showTyping(work);
    const answer = await this.agents.run(conversation, text, signal);
    await typing.stop();
    const said = replyTo(answer, attachments);
    if (!signal.aborted) return this.reply(conversation, work, said, SEND_DELAYS_MS, signal);
    await this.reply(conversation, work, said, [], AbortSignal.timeout(FAREWELL_MS));
  }

  private showTyping({ name, message }: Work): { stop(): Promise<void> } {
    // An answer without the sign that it is being written is still an answer, and nothing waits for it.
    const onError = (error: unknown): void =>
      this.options.log.debug('typing could not be shown', { bridge: name, reason: describeError(error) });
    const typing = async (): Promise<void> => this.active.get(name)?.runner.typing(message.place);
    const show = (): void => void typing().catch(onError);
    show();
    return startInterval({ everyMs: TYPING_EVERY_MS, run: show, onError, clock: this.options.clock });
  }

  /** Says it in pieces the platform takes, each tried again while the platform is away. */
  private async reply(
    conversation: string,
    { name, message }: Work,
    text: string,
    delaysMs: readonly number[],
    signal: AbortSignal = new AbortController().signal,
  ): Promise<void> {
    const { clock, log } = this.options;
    const send = async (piece: string, reference?: string): Promise<void> => {
      const runner = this.active.get(name)?.runner;
      if (runner === undefined) throw new BridgeRefused('the bridge is not configured any more');
      await untilAborted(runner.send(message.place, piece, reference), signal);
    };
    try {
      for (const [index, piece] of splitText(text, MESSAGE_LIMITS[name]).entries()) {
        await retry(() => send(piece, index === 0 ? message.id : undefined), {
          delaysMs,
          shouldRetry: (error) => !(error instanceof BridgeRefused) && !signal.aborted,
          clock,
          signal,
        });
      }
    } catch (error) {
      log.error('an answer could not be said', { conversation, reason: describeError(error) });
    }
  }
}

/** One conversation for each channel or group, or topic in it; a name that is safe as a folder's. */
function conversationName(name: BridgeName, { channel, thread }: { channel: string; thread?: string }): string {
  const parts = thread === undefined ? [channel] : [channel, thread];
  return [name, ...parts.map((part) => part.replace(/[^A-Za-z0-9-]/g, '_'))].join('-');
}

/** The promise, or a rejection as soon as nobody wants to wait for it any more. */
function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error('the bridge is stopped'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
