import { type WarmPoolView } from '@reins/shared/api/definitions';
import { type OrgScope } from '../../access/principal';

/** Where is known how the warm pods of a runtime are. Implemented by the launchers' room. */
export abstract class WarmPoolStates {
  abstract stateOf(scope: OrgScope, runtimeId: string): Promise<Omit<WarmPoolView, 'size'>>;
}
