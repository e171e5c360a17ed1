import { type V1ContainerStatus, type V1Pod, type V1PodStatus } from '@kubernetes/client-node';
import { type Observed, type Verdict, verdictOf } from './verdict';

const UNSCHEDULABLE_MS = 60_000;

function pod(status: Partial<V1PodStatus>, metadata: V1Pod['metadata'] = {}): V1Pod {
  const resources = { limits: { memory: '64Mi' } };
  return { metadata, spec: { containers: [{ name: 'harness', resources }] }, status };
}

function container(state: V1ContainerStatus['state']): V1ContainerStatus {
  return { name: 'harness', image: 'img:1', imageID: '', ready: false, restartCount: 0, state };
}

const seen = (more: Partial<Observed>): Observed => ({
  pod: undefined,
  job: undefined,
  notCreated: undefined,
  isGone: false,
  ...more,
});
const verdict = (more: Partial<Observed>): Verdict => verdictOf(seen(more), UNSCHEDULABLE_MS);

/** Rows of the failure table: what is seen, what it is called, words it must contain. */
const FAILURES: [string, Partial<Observed>, string, RegExp][] = [
  [
    'an image nobody has',
    { pod: pod({ containerStatuses: [container({ waiting: { reason: 'ImagePullBackOff', message: 'not found' } })] }) },
    'image_pull_failed',
    /img:1: not found\. Check the runtime's vwImage/,
  ],
  [
    'a registry that nobody reaches',
    {
      pod: pod({
        containerStatuses: [container({ waiting: { reason: 'ImagePullBackOff', message: 'connection refused' } })],
      }),
    },
    'image_pull_failed',
    /connection refused/,
  ],
  [
    'an image that may only be local',
    { pod: pod({ containerStatuses: [container({ waiting: { reason: 'ErrImageNeverPull' } })] }) },
    'image_pull_failed',
    /ErrImageNeverPull/,
  ],
  [
    'an image that runs as root',
    {
      pod: pod({
        containerStatuses: [
          container({ waiting: { reason: 'CreateContainerConfigError', message: 'will run as root' } }),
        ],
      }),
    },
    'container_refused',
    /will run as root/,
  ],
  [
    'used up memory',
    { pod: pod({ containerStatuses: [container({ terminated: { exitCode: 137, reason: 'OOMKilled' } })] }) },
    'oom_killed',
    /its limit is 64Mi\. Raise/,
  ],
  [
    'an eviction',
    { pod: pod({ phase: 'Failed', reason: 'Evicted', message: 'disk is full' }) },
    'evicted',
    /disk is full/,
  ],
  [
    'a preemption',
    {
      pod: pod({
        phase: 'Failed',
        conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }],
      }),
    },
    'preempted',
    /higher priority/,
  ],
  [
    'a lost node',
    {
      pod: pod({
        phase: 'Failed',
        conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager' }],
      }),
    },
    'node_lost',
    /node of the pod is gone/,
  ],
  [
    'the deadline of the pod',
    { pod: pod({ phase: 'Failed', reason: 'DeadlineExceeded' }) },
    'deadline_exceeded',
    /time was up/,
  ],
  [
    'the deadline of the Job',
    { job: { status: { conditions: [{ type: 'Failed', status: 'True', reason: 'DeadlineExceeded' }] } } },
    'deadline_exceeded',
    /time was up/,
  ],
  ['a node that refuses', { pod: pod({ phase: 'Failed', reason: 'OutOfcpu' }) }, 'node_refused', /OutOfcpu/],
  [
    'a quota that is used up',
    { notCreated: 'Error creating: pods "x" is forbidden: exceeded quota: q, requested: pods=1' },
    'quota_exceeded',
    /exceeded quota: q.*\. End other sessions/,
  ],
  [
    'an admission rule',
    { notCreated: 'Error creating: admission webhook "policy" denied the request' },
    'admission_refused',
    /denied the request/,
  ],
  ['a pod that is gone', { pod: pod({ phase: 'Running' }), isGone: true }, 'pod_deleted', /deleted/],
  [
    'a pod that was deleted, once it has ended',
    {
      pod: pod(
        { containerStatuses: [container({ terminated: { exitCode: 0 } })] },
        { deletionTimestamp: new Date('2026-01-01') },
      ),
    },
    'pod_deleted',
    /exited with code 0/,
  ],
];

describe('verdictOf', () => {
  it.each(FAILURES)('tells %s', (_, observed, code, words) => {
    const found = verdict(observed);
    expect(found).toMatchObject({ state: 'failed', failure: { code } });
    expect(found.state === 'failed' ? found.failure.message : '').toMatch(words);
  });

  it('quotes what the harness said last, and names its signal', () => {
    const message = 'some log line\nthe controller at http://x refused the credentials\n';
    const states = container({ terminated: { exitCode: 3, message } });
    expect(verdict({ pod: pod({ containerStatuses: [states] }) })).toEqual({
      state: 'failed',
      failure: {
        code: 'harness_exited',
        message: 'the harness ended: it exited with code 3: the controller at http://x refused the credentials',
        exitCode: 3,
        signal: null,
      },
    });
    const killed = verdict({ pod: pod({ containerStatuses: [container({ terminated: { exitCode: 137 } })] }) });
    expect(killed).toMatchObject({ failure: { signal: 'SIGKILL', exitCode: 137 } });
  });

  it('waits for a node until the time for it is up', () => {
    const lastTransitionTime = new Date('2026-01-01T00:00:00Z');
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message: '0/1 nodes are available: 1 Insufficient cpu.',
      lastTransitionTime,
    };
    expect(verdict({ pod: pod({ phase: 'Pending', conditions: [condition] }) })).toMatchObject({
      state: 'starting',
      note: { code: 'unschedulable', message: expect.stringContaining('Insufficient cpu. Lower') as string },
      failsAt: lastTransitionTime.getTime() + UNSCHEDULABLE_MS,
    });
  });

  it('does not give up where the node only has not heard of the Secret yet', () => {
    const message = 'failed to sync secret cache: timed out waiting for the condition';
    const waiting = container({ waiting: { reason: 'CreateContainerConfigError', message } });
    expect(verdict({ pod: pod({ containerStatuses: [waiting] }) })).toMatchObject({
      state: 'starting',
      note: { code: 'container_refused' },
    });
  });

  it('does not give up at the first pull that fails', () => {
    const pulling = container({ waiting: { reason: 'ErrImagePull', message: 'timeout' } });
    expect(verdict({ pod: pod({ containerStatuses: [pulling] }) })).toMatchObject({
      state: 'starting',
      note: { code: 'image_pull_failed' },
    });
  });

  it('finds nothing to tell of a pod that starts or runs', () => {
    expect(verdict({})).toEqual({ state: 'starting' });
    expect(verdict({ pod: pod({ phase: 'Pending' }) })).toEqual({ state: 'starting' });
    const creating = container({ waiting: { reason: 'ContainerCreating' } });
    expect(verdict({ pod: pod({ containerStatuses: [creating] }) })).toEqual({ state: 'starting' });
    expect(verdict({ pod: pod({ containerStatuses: [container({ running: {} })] }) })).toEqual({ state: 'running' });
    // An old refusal says nothing of a pod that was made at last.
    const made = { pod: pod({ containerStatuses: [container({ running: {} })] }), notCreated: 'exceeded quota' };
    expect(verdict(made)).toEqual({ state: 'running' });
  });
});
