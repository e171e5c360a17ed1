import { defineMachine } from './machine';

export const OPERATION_STATES = ['Pending', 'Running', 'Success', 'Failed', 'Cancelled'] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

export const OPERATION_TYPES = [
  'Create',
  'Start',
  'Stop',
  'Restart',
  'Snapshot',
  'SnapshotRestore',
  'Learn',
  'End',
  'Delete',
] as const;
export type OperationType = (typeof OPERATION_TYPES)[number];

export type OperationEvent = 'run' | 'succeed' | 'fail' | 'cancel';
export type OperationEffect = 'stampCompletion';

/** Pending → Running → Success | Failed | Cancelled. A Pending one may also be settled at once. */
export const operationMachine = defineMachine<OperationState, OperationEvent, OperationEffect>({
  run: { from: ['Pending'], to: 'Running' },
  succeed: { from: ['Pending', 'Running'], to: 'Success', effects: ['stampCompletion'] },
  fail: { from: ['Pending', 'Running'], to: 'Failed', effects: ['stampCompletion'] },
  cancel: { from: ['Pending', 'Running'], to: 'Cancelled', effects: ['stampCompletion'] },
});
