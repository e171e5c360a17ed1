/** One named transition: the states it may start from, the state it ends in, and what must happen then. */
export interface Transition<S extends string, F extends string> {
  from: readonly S[];
  to: S;
  effects?: readonly F[];
}

export interface Machine<S extends string, E extends string, F extends string> {
  readonly transitions: Readonly<Record<E, Transition<S, F>>>;
  /** The outcome of an event in a state, or undefined where the event is not allowed there. */
  next(state: S, event: E): { state: S; effects: readonly F[] } | undefined;
  /** The states in which the event is allowed: the expected previous states of one atomic update. */
  sources(event: E): readonly S[];
  /** The state the event leads to. */
  target(event: E): S;
}

/**
 * A lifecycle as a table of named transitions. An event has one target, so that a transition is one
 * `findOneAndUpdate({state: {$in: sources(event)}}, {$set: {state: target(event)}})`.
 */
export function defineMachine<S extends string, E extends string, F extends string>(
  transitions: Record<E, Transition<S, F>>,
): Machine<S, E, F> {
  return {
    transitions,
    next(state, event) {
      const { from, to, effects = [] } = transitions[event];
      return from.includes(state) ? { state: to, effects } : undefined;
    },
    sources: (event) => transitions[event].from,
    target: (event) => transitions[event].to,
  };
}
