import { mergeSettings } from '../config/settings';
import { type AgentConfiguration } from '../link/controller-api';
import { describeError, type Logger } from '../log/logger';
import { type AgentContext, type AgentMode, type EffectiveConfiguration } from './agent-context';

export interface ConfiguredAgentOptions {
  /** The environment below the controller's settings. */
  env: Readonly<Record<string, string>>;
  /** Fetches the configuration of the version the controller has named. */
  fetch: () => Promise<AgentConfiguration>;
  /** What the agent is told while the controller's instruction cannot be had. */
  localInstruction?: () => string;
  /** Another configuration of the controller took effect. */
  onUpdate?: () => void;
  log: Logger;
}

type Listener = (configuration: EffectiveConfiguration) => void;

/** Holds the agent's configuration, renews it when the controller names another version, and tells who wants to know. */
export class ConfiguredAgent implements AgentContext {
  private answer: AgentConfiguration | undefined;
  /** Set while this machine has to do without the controller. */
  private local: { instruction: string } | undefined;
  private readonly listeners = new Set<Listener>();
  private refreshing = false;
  private isOutdated = false;

  constructor(private readonly options: ConfiguredAgentOptions) {}

  /** The controller's last answer, as it was. */
  get remote(): AgentConfiguration | undefined {
    return this.answer;
  }

  /** Whether there is a configuration to work with, of whichever kind. */
  get isConfigured(): boolean {
    return this.answer !== undefined || this.local !== undefined;
  }

  get mode(): AgentMode {
    return this.answer === undefined ? 'local' : 'remote';
  }

  get isManaged(): boolean {
    return this.answer?.session != null;
  }

  configuration(): EffectiveConfiguration {
    return {
      instruction: this.answer?.instruction ?? this.local?.instruction ?? '',
      settings: mergeSettings(this.answer?.settings ?? {}, this.options.env),
      allowedTools: (this.answer?.tools ?? []).flatMap(({ name }) => (typeof name === 'string' ? [name] : [])),
      mcpServers: withoutUndefined(this.answer?.mcpServers ?? {}),
      mode: this.mode,
    };
  }

  onConfigured(listener: Listener): () => void {
    this.listeners.add(listener);
    if (this.isConfigured) listener(this.configuration());
    return () => void this.listeners.delete(listener);
  }

  /** Takes over what a connect or a refresh answered. */
  apply(answer: AgentConfiguration): void {
    const before = this.answer;
    this.answer = answer;
    if (before === undefined || markOf(before) !== markOf(answer)) this.options.onUpdate?.();
    this.tell();
  }

  /** Goes on with this machine's own configuration, unless the controller has already given one. */
  fallBack(): void {
    if (this.answer !== undefined) return;
    this.local = { instruction: this.options.localInstruction?.() ?? '' };
    this.tell();
  }

  private tell(): void {
    const configuration = this.configuration();
    for (const listener of this.listeners) listener(configuration);
  }

  /** Fetches the configuration where its version is not the one in force. Never rejects. */
  async refresh(version: string): Promise<void> {
    const { fetch, log } = this.options;
    if (version === this.answer?.configVersion) return;
    // What is being fetched now may be from before this edit.
    this.isOutdated = true;
    if (this.refreshing) return;
    this.refreshing = true;
    try {
      while (this.isOutdated) {
        this.isOutdated = false;
        this.apply(await fetch());
        log.info('configuration updated', { configVersion: this.answer?.configVersion });
      }
    } catch (error) {
      // The next heartbeat's answer names the version again.
      log.warn('the configuration could not be fetched', { reason: describeError(error) });
    } finally {
      this.refreshing = false;
    }
  }
}

/** Tells configurations apart: by their version, or by what they say where the controller has none. */
function markOf({ configVersion, instruction, settings, tools }: AgentConfiguration): string {
  return configVersion === '' ? JSON.stringify([instruction, settings, tools]) : configVersion;
}

/** Servers as drivers take them. */
export function withoutUndefined(servers: AgentConfiguration['mcpServers']): EffectiveConfiguration['mcpServers'] {
  return Object.fromEntries(
    Object.entries(servers).map(([name, { headers, ...server }]) => [
      name,
      headers === undefined ? server : { ...server, headers },
    ]),
  );
}
