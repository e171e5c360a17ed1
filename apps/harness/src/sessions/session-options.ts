import { type SessionDescriptor } from '@reins/shared/link/connect';
import { type Clock } from '@reins/shared/util/clock';
import { type Logger } from '../log/logger';
import { type SessionHost } from './session-host';

export interface SessionOptions {
  descriptor: SessionDescriptor;
  workspace: string;
  /** This session's own folder below the harness's state folder. */
  stateDir: string;
  incarnation: string;
  maxLanes: number;
  /** The number of the session's next event in this incarnation. */
  firstEvent: number;
  host: SessionHost;
  log: Logger;
  clock: Clock;
  softStopMs?: number;
}
