import { type FrameAcks, type FrameBody, type HarnessFrame } from '@reins/shared/link/socket-events';
import { type DriverFactory } from '../drivers/driver.port';
import { type LaneSetup } from '../turns/lanes';
import { type TurnRunnerOptions } from '../turns/turn-runner';

/** What a session needs of the harness it lives in. */
export interface SessionHost {
  request: <F extends HarnessFrame>(frame: F, body: FrameBody<F>) => Promise<FrameAcks[F]>;
  /** The agent's configuration as it is now; read again for each turn. */
  configuration: () => Pick<LaneSetup, 'instruction' | 'settings' | 'allowedTools' | 'mcpServers'>;
  childEnv: Readonly<Record<string, string>>;
  loadDriver: (cliType: string) => Promise<DriverFactory>;
  fetchPrompt: TurnRunnerOptions['fetchPrompt'];
  upload: (sessionId: string, ...upload: Parameters<TurnRunnerOptions['upload']>) => Promise<{ blobId: string }>;
  leaseMs: () => number;
  /** Lanes, readiness or live turns changed. */
  onChange: () => void;
  /** A lease may have ended unnoticed: renew now. */
  onDoubt: () => void;
  onLost: () => void;
}
