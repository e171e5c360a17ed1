/**
 * starting: made, not heard of yet. ready: waits for a session. claimed: a session took it, whether it comes is not known.
 * bound: it is the session's harness. gone: removed, and never used again.
 */
export const WARM_POD_STATES = ['starting', 'ready', 'claimed', 'bound', 'gone'] as const;
export type WarmPodState = (typeof WARM_POD_STATES)[number];

const BEFORE: Readonly<Record<WarmPodState, readonly WarmPodState[]>> = {
  starting: [],
  ready: ['starting'],
  claimed: ['ready'],
  bound: ['claimed'],
  gone: ['starting', 'ready', 'claimed', 'bound'],
};

/** The states a warm pod may come from. There is no way back: one that was anybody's is nobody's again. */
export function statesBefore(state: WarmPodState): readonly WarmPodState[] {
  return BEFORE[state];
}

/** Not given to anybody: a pod to count on, now or soon. */
export const UNCLAIMED: readonly WarmPodState[] = ['starting', 'ready'];

/** In these its token opens the one route there is for it. */
export const WAITING: readonly WarmPodState[] = ['starting', 'ready', 'claimed'];
