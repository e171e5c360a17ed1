import { defineMachine } from './machine';

export const SESSION_STATES = ['pending', 'active', 'suspended', 'ending', 'ended', 'failed'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

export type SessionEvent = 'ready' | 'suspend' | 'harnessExited' | 'launchFailed' | 'end' | 'endFinished';

/**
 * launchHarness, stopHarness: ask the launcher. settleCreate: the Create operation has its result. wakeTurns: queued
 * turns may be pulled. interruptTurns, cancelTurns: give every live (and, for cancel, queued) turn its terminal event.
 */
export type SessionEffect = 'stopHarness' | 'settleCreate' | 'wakeTurns' | 'interruptTurns' | 'cancelTurns';

/** pending → active ⇄ suspended → ending → ended; any but ended → failed. A failed session can still be ended. */
export const sessionMachine = defineMachine<SessionState, SessionEvent, SessionEffect>({
  ready: { from: ['pending', 'suspended', 'active'], to: 'active', effects: ['settleCreate', 'wakeTurns'] },
  suspend: { from: ['active'], to: 'suspended', effects: ['stopHarness'] },
  // The workspace is still there, so the next prompt starts a new harness in it.
  harnessExited: { from: ['active', 'suspended'], to: 'suspended', effects: ['interruptTurns'] },
  launchFailed: {
    from: ['pending', 'suspended'],
    to: 'failed',
    effects: ['settleCreate', 'cancelTurns', 'stopHarness'],
  },
  end: { from: ['pending', 'active', 'suspended', 'failed'], to: 'ending', effects: ['cancelTurns'] },
  endFinished: { from: ['ending'], to: 'ended', effects: ['stopHarness'] },
});

/** Whether a prompt to a session in this state is accepted (and queued where no harness is there yet). */
export function acceptsPrompts(state: SessionState): boolean {
  return state === 'pending' || state === 'active' || state === 'suspended';
}
