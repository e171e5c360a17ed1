import { type BridgeConfigs, type BridgeMessage, type BridgeName, type Place } from '../bridge.port';

/** Marks the thread of a bridge on the command line it sees. */
export const BRIDGE_ARGUMENT = '--bridge';

/** What the thread is started with. */
export type BridgeWork = { [N in BridgeName]: { name: N; config: BridgeConfigs[N] } }[BridgeName];

/** An error as it crosses threads. */
export interface Fault {
  message: string;
  refused: boolean;
}

export type ToBridge =
  | { type: 'send'; id: number; place: Place; text: string; replyTo?: string }
  | { type: 'typing'; id: number; place: Place }
  | { type: 'stop' };

export type FromBridge =
  | { type: 'started' }
  | { type: 'message'; message: BridgeMessage }
  | { type: 'waiting'; reason: string }
  | { type: 'running' }
  | { type: 'lost'; fault: Fault }
  | { type: 'log'; level: 'debug' | 'info' | 'warn'; message: string }
  | { type: 'done'; id: number; fault?: Fault };
