import { statesBefore, WARM_POD_STATES, type WarmPodState } from './warm-pod-state';

/** Every state that can be reached from one. */
function reachable(from: WarmPodState, seen = new Set<WarmPodState>()): Set<WarmPodState> {
  for (const next of WARM_POD_STATES) {
    if (seen.has(next) || !statesBefore(next).includes(from)) continue;
    seen.add(next);
    reachable(next, seen);
  }
  return seen;
}

describe('the states of a warm pod', () => {
  it('never leads back: what was claimed is never ready again, what is gone stays gone', () => {
    for (const state of WARM_POD_STATES) expect(reachable(state)).not.toContain(state);
    for (const state of ['claimed', 'bound', 'gone'] as const) expect(reachable(state)).not.toContain('ready');
    expect(reachable('gone').size).toBe(0);
  });

  it('ends in gone from everywhere, and is bound only after it was ready and claimed', () => {
    for (const state of WARM_POD_STATES) if (state !== 'gone') expect(reachable(state)).toContain('gone');
    expect(statesBefore('bound')).toEqual(['claimed']);
    expect(statesBefore('claimed')).toEqual(['ready']);
  });
});
