import { type Clock } from '@reins/shared/util/clock';
import { type Rng } from '@reins/shared/util/rng';
import { type HarnessConfig } from './config/config.schema';
import { type DriverFactory } from './drivers/driver.port';
import { type Logger, type Secrets } from './log/logger';
import { type ClientCounters } from './metrics/counters';

export interface HarnessOptions {
  config: HarnessConfig;
  version: string;
  incarnation: string;
  supportedTypes: readonly string[];
  loadDriver: (cliType: string) => Promise<DriverFactory>;
  log: Logger;
  secrets: Secrets;
  counters?: ClientCounters;
  /** Where the agent's credentials are kept, if it registered itself. */
  credentialsFile?: string;
  clock?: Clock;
  rng?: Rng;
  /** How long an agent may take to stop when asked. */
  softStopMs?: number;
}
