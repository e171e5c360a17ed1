import { type LaneSetup } from '../turns/lanes';

/** Where the configuration in force comes from: the controller's answer, or this machine while it cannot be had. */
export type AgentMode = 'remote' | 'local';

/** The agent's configuration as drivers and bridges read it: merged by precedence, one name for each setting. */
export interface EffectiveConfiguration extends Pick<
  LaneSetup,
  'instruction' | 'settings' | 'allowedTools' | 'mcpServers'
> {
  mode: AgentMode;
}

/**
 * What the parts of the harness that live beside the link may know of the agent. Bridges start from `onConfigured`;
 * session configuration reads `configuration()` again for each turn, so that an edit holds from the next turn on.
 */
export interface AgentContext {
  /** As it is now; never cached by the reader. */
  configuration(): EffectiveConfiguration;
  /**
   * Told after every change of the configuration: connected, refreshed, fallen back to local. Told at once where there is
   * one already. The answer takes the listener away again.
   */
  onConfigured(listener: (configuration: EffectiveConfiguration) => void): () => void;
}
