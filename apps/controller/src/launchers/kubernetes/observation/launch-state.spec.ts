import { type V1Pod } from '@kubernetes/client-node';
import { identityOf, LaunchState } from './launch-state';

const identity = { orgId: 'o', sessionId: 'sess-1', launchId: 'run-123456' };
const HOUR = 3_600_000;

function ended(exitCode: number): V1Pod {
  const state = { terminated: { exitCode } };
  const status = { name: 'harness', image: '', imageID: '', ready: false, restartCount: 0, state };
  return { status: { containerStatuses: [status] } };
}

function unschedulable(message: string, at: Date): V1Pod {
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: at };
  return { status: { phase: 'Pending', conditions: [condition] } };
}

describe('LaunchState', () => {
  it('tells an end once, and again where that failed', () => {
    const state = new LaunchState(identity);
    state.podSeen(ended(1));
    expect(state.news(0, HOUR)).toMatchObject({ kind: 'failed', failure: { code: 'harness_exited' } });
    expect(state.news(0, HOUR)).toBeUndefined();
    state.retell();
    expect(state.news(0, HOUR)).toMatchObject({ kind: 'failed' });
  });

  it('tells each reason to wait once, and gives up in time', () => {
    const now = Date.now();
    const state = new LaunchState(identity);
    state.podSeen(unschedulable('no cpu', new Date(now)));
    expect(state.news(now, HOUR)).toMatchObject({ kind: 'waiting', failure: { code: 'unschedulable' } });
    expect(state.news(now, HOUR)).toBeUndefined();
    state.podSeen(unschedulable('no memory', new Date(now)));
    expect(state.news(now, HOUR)).toMatchObject({ kind: 'waiting' });
    expect(state.news(now + HOUR, HOUR)).toMatchObject({ kind: 'failed', failure: { code: 'unschedulable' } });
  });

  it('takes a Job that goes before it had a pod for the end', () => {
    const state = new LaunchState(identity);
    state.jobGone();
    expect(state.news(0, HOUR)).toMatchObject({ kind: 'failed', failure: { code: 'pod_deleted' } });
    const running = new LaunchState(identity);
    running.podSeen({ status: { phase: 'Pending' } });
    running.jobGone();
    expect(running.news(0, HOUR)).toBeUndefined();
    running.podGone({ status: { phase: 'Pending' } });
    expect(running.news(0, HOUR)).toMatchObject({ failure: { code: 'pod_deleted' } });
    expect(running.isFinished).toBe(true);
  });
});

describe('identityOf', () => {
  it('reads whose an object is, and takes no object of others', () => {
    const labels = { 'reins.dev/session': 'sess-1', 'reins.dev/launch': 'run-1' };
    expect(identityOf({ labels, annotations: { 'reins.dev/org': 'o' } })).toEqual({
      orgId: 'o',
      sessionId: 'sess-1',
      launchId: 'run-1',
    });
    expect(identityOf({ labels })).toBeUndefined();
    expect(identityOf(undefined)).toBeUndefined();
  });
});
