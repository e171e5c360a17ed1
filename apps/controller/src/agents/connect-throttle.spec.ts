import { ConnectThrottle } from './connect-throttle';

describe('ConnectThrottle', () => {
  let now = 0;
  const throttle = (maxKeys = 100) =>
    new ConnectThrottle({ perAgent: 3, perAddress: 5, windowMs: 1000, maxKeys, monotonic: () => now });

  beforeEach(() => {
    now = 0;
  });

  it('blocks an agent after its failures, from every address', () => {
    const connects = throttle();
    for (const address of ['1', '2', '3']) {
      expect(connects.blockedFor('a', address)).toBeUndefined();
      connects.fail('a', address);
    }
    expect(connects.blockedFor('a', '4')).toBe(1000);
    expect(connects.blockedFor('b', '1')).toBeUndefined();
  });

  it('blocks an address after its failures, for every agent', () => {
    const connects = throttle();
    for (const agent of ['a', 'b', 'c', 'd', 'e']) connects.fail(agent, '1');
    expect(connects.blockedFor('f', '1')).toBe(1000);
    expect(connects.blockedFor('f', '2')).toBeUndefined();
  });

  it('lets one more through for each failure that leaves the window', () => {
    const connects = throttle();
    for (now of [0, 400, 800]) connects.fail('a', '1');
    expect(connects.blockedFor('a', '1')).toBe(200);
    now = 1000;
    expect(connects.blockedFor('a', '1')).toBeUndefined();
    connects.fail('a', '1');
    expect(connects.blockedFor('a', '1')).toBe(400);
  });

  it('counts a whole IPv6 /64 as one address', () => {
    const connects = throttle();
    for (let i = 0; i < 5; i++) connects.fail(`agent-${i}`, `2001:db8:0:1::${i}`);
    expect(connects.blockedFor('f', '2001:db8:0:1:ffff::1')).toBe(1000);
    expect(connects.blockedFor('f', '2001:db8:0:2::1')).toBeUndefined();
  });

  it('announces a lock-out once a window, however long the attempts go on', () => {
    const connects = throttle();
    const announced: number[] = [];
    for (now = 0; now <= 2500; now += 250) {
      if (connects.blockedFor('a', `${now}`) === undefined && connects.fail('a', `${now}`).agent) announced.push(now);
    }
    expect(announced).toEqual([500, 1500, 2500]);
  });

  it('announces the lock-out of an address apart from those of agents', () => {
    const connects = throttle();
    const outcomes = ['a', 'b', 'c', 'd', 'e', 'f'].map((agent) => connects.fail(agent, '1'));
    expect(outcomes.map(({ address }) => address)).toEqual([false, false, false, false, true, false]);
    expect(outcomes.some(({ agent }) => agent)).toBe(false);
  });

  it('never counts what does not fail', () => {
    const connects = throttle();
    for (let i = 0; i < 10_000; i++) expect(connects.blockedFor(`agent-${i}`, '1')).toBeUndefined();
  });

  it('remembers a bounded number of agents and addresses', () => {
    const connects = throttle(10);
    for (let i = 0; i < 3; i++) connects.fail('a', '1');
    expect(connects.blockedFor('a', '1')).toBe(1000);
    for (let i = 0; i < 5; i++) connects.fail(`other-${i}`, `address-${i}`);
    expect(connects.blockedFor('a', '1')).toBeUndefined();
  });
});
