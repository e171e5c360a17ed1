import { type Machine } from './machine';
import { OPERATION_STATES, operationMachine } from './operation';
import { acceptsPrompts, SESSION_STATES, sessionMachine } from './session';
import { isLive, isTerminal, TURN_STATES, turnMachine } from './turn';

/** The whole table of a machine as `state --event--> state`, refused pairs left out. */
function allowed<S extends string, E extends string, F extends string>(
  machine: Machine<S, E, F>,
  states: readonly S[],
): string[] {
  const events = Object.keys(machine.transitions) as E[];
  return states.flatMap((state) =>
    events.flatMap((event) => {
      const next = machine.next(state, event);
      return next === undefined ? [] : [`${state} --${event}--> ${next.state}`];
    }),
  );
}

describe('session machine', () => {
  it('allows exactly these transitions', () => {
    expect(allowed(sessionMachine, SESSION_STATES)).toEqual([
      'pending --ready--> active',
      'pending --launchFailed--> failed',
      'pending --end--> ending',
      'active --ready--> active',
      'active --suspend--> suspended',
      'active --harnessExited--> suspended',
      'active --end--> ending',
      'suspended --ready--> active',
      'suspended --harnessExited--> suspended',
      'suspended --launchFailed--> failed',
      'suspended --end--> ending',
      'ending --endFinished--> ended',
      'failed --end--> ending',
    ]);
  });

  it('takes prompts only where a harness is or will be there', () => {
    expect(SESSION_STATES.filter(acceptsPrompts)).toEqual(['pending', 'active', 'suspended']);
  });
});

describe('turn machine', () => {
  it('allows exactly these transitions', () => {
    expect(allowed(turnMachine, TURN_STATES)).toEqual([
      'queued --lease--> leased',
      'queued --cancel--> cancelled',
      'leased --start--> running',
      'leased --requeue--> queued',
      'leased --complete--> complete',
      'leased --fail--> failed',
      'leased --cancel--> cancelled',
      'leased --interrupt--> interrupted',
      'running --requeue--> queued',
      'running --complete--> complete',
      'running --fail--> failed',
      'running --cancel--> cancelled',
      'running --interrupt--> interrupted',
    ]);
  });

  it('every terminal state is final and owes exactly one terminal event', () => {
    for (const state of TURN_STATES.filter(isTerminal)) {
      for (const event of Object.keys(turnMachine.transitions) as (keyof typeof turnMachine.transitions)[]) {
        expect(turnMachine.next(state, event)).toBeUndefined();
        if (turnMachine.target(event) === state)
          expect(turnMachine.transitions[event].effects).toContain('terminalEvent');
      }
    }
    expect(TURN_STATES.filter(isLive)).toEqual(['leased', 'running']);
  });
});

describe('operation machine', () => {
  it('allows exactly these transitions', () => {
    expect(allowed(operationMachine, OPERATION_STATES)).toEqual([
      'Pending --run--> Running',
      'Pending --succeed--> Success',
      'Pending --fail--> Failed',
      'Pending --cancel--> Cancelled',
      'Running --succeed--> Success',
      'Running --fail--> Failed',
      'Running --cancel--> Cancelled',
    ]);
  });
});
