import { type TurnDocument } from './turn.schema';
import { due } from './turn-watch';

const limits = { lostAfterMs: 120_000, leaseMs: 45_000, abortGraceMs: 10_000 };
const NOW = 1_800_000_000_000;
const ago = (ms: number): Date => new Date(NOW - ms);

const healthy = {
  status: 'running',
  startedAt: ago(1000),
  leaseUntil: ago(-45_000),
  startBy: null,
  cancelRequestedAt: null,
  timeoutMs: 60_000,
} as unknown as TurnDocument;

describe('due', () => {
  it.each<[string, Partial<TurnDocument>, string]>([
    ['a healthy turn is left alone', {}, 'none'],
    ['a lease that just ran out keeps the turn for its harness', { leaseUntil: ago(1) }, 'none'],
    ['no beat for LOST_AFTER_MS interrupts it', { leaseUntil: ago(75_001) }, 'interrupt'],
    [
      'not started by startBy goes back to the queue',
      { status: 'leased', startedAt: null, startBy: ago(1) },
      'requeue',
    ],
    ['an abort waits for its harness', { cancelRequestedAt: ago(9_999) }, 'none'],
    ['an abort nobody confirmed is written by the controller', { cancelRequestedAt: ago(10_001) }, 'cancel'],
    ['a harness gets a grace beyond the time limit', { startedAt: ago(61_000) }, 'none'],
    ['a hung harness does not hold a turn past its limit', { startedAt: ago(75_001) }, 'timeout'],
    [
      'an abort wins over a late start',
      { status: 'leased', startBy: ago(1), cancelRequestedAt: ago(10_001) },
      'cancel',
    ],
  ])('%s', (_name, change, action) => {
    expect(due({ ...healthy, ...change }, NOW, limits).action).toBe(action);
  });
});
