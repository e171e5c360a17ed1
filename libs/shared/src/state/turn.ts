import { defineMachine } from './machine';

export const TURN_STATES = ['queued', 'leased', 'running', 'complete', 'failed', 'cancelled', 'interrupted'] as const;
export type TurnState = (typeof TURN_STATES)[number];

export type TurnEvent = 'lease' | 'start' | 'requeue' | 'complete' | 'fail' | 'cancel' | 'interrupt';

/** terminalEvent: exactly one `turn.completed` is written. freeLane: the next turn of the lane may be leased. */
export type TurnEffect = 'terminalEvent' | 'freeLane';

const END: readonly TurnEffect[] = ['terminalEvent', 'freeLane'];

/** queued → leased → running → complete | failed | cancelled | interrupted. */
export const turnMachine = defineMachine<TurnState, TurnEvent, TurnEffect>({
  lease: { from: ['queued'], to: 'leased' },
  start: { from: ['leased'], to: 'running' },
  // Not started in time, or to be tried again after an interruption: the generation fences the late starter.
  requeue: { from: ['leased', 'running'], to: 'queued', effects: ['freeLane'] },
  complete: { from: ['leased', 'running'], to: 'complete', effects: END },
  fail: { from: ['leased', 'running'], to: 'failed', effects: END },
  cancel: { from: ['queued', 'leased', 'running'], to: 'cancelled', effects: END },
  interrupt: { from: ['leased', 'running'], to: 'interrupted', effects: END },
});

/** A live turn holds its lane: at most one per lane. */
export function isLive(state: TurnState): boolean {
  return state === 'leased' || state === 'running';
}

export function isTerminal(state: TurnState): boolean {
  return !isLive(state) && state !== 'queued';
}
