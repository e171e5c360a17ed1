import { systemClock } from '@reins/shared/util/clock';
import { Lease } from './lease';

function clockAt(): { clock: typeof systemClock; at: (ms: number) => void } {
  let now = 1000;
  return { clock: { ...systemClock, monotonic: () => now }, at: (ms) => (now = 1000 + ms) };
}

describe('Lease', () => {
  it('fences itself a margin before its end, by the monotonic clock', () => {
    const { clock, at } = clockAt();
    const lease = new Lease(clock, 45_000, 5_000);
    at(39_999);
    expect(lease.fencesItself).toBe(false);
    at(40_000);
    expect(lease.fencesItself).toBe(true);
  });

  it('counts a renewal from when it was asked for, not from when the answer came', () => {
    const { clock, at } = clockAt();
    const lease = new Lease(clock, 45_000, 5_000);
    at(10_000);
    const sentAt = clock.monotonic();
    at(30_000);
    lease.renew(sentAt);
    at(49_999);
    expect(lease.fencesItself).toBe(false);
    at(50_000);
    expect(lease.fencesItself).toBe(true);
  });

  it('is never made shorter by the late answer to an earlier renewal', () => {
    const { clock, at } = clockAt();
    const lease = new Lease(clock, 45_000, 5_000);
    at(20_000);
    lease.renew(clock.monotonic());
    lease.renew(1000);
    at(59_999);
    expect(lease.fencesItself).toBe(false);
  });

  it('leaves most of a short lease to work in', () => {
    let now = 0;
    const lease = new Lease({ ...systemClock, monotonic: () => now }, 2_000);
    now = 1_400;
    expect(lease.fencesItself).toBe(false);
    now = 1_600;
    expect(lease.fencesItself).toBe(true);
  });
});
