import { systemClock } from '@reins/shared/util';
import { Places } from './places';

describe('Places', () => {
  it('has room for so many, and hands a place that is left to the next in line', async () => {
    const places = new Places(2, 10_000);
    expect([await places.enter(), await places.enter()]).toEqual([true, true]);
    const order: string[] = [];
    const third = places.enter().then((entered) => order.push(`third ${entered}`));
    const fourth = places.enter().then((entered) => order.push(`fourth ${entered}`));
    places.leave();
    await third;
    places.leave();
    await fourth;
    expect(order).toEqual(['third true', 'fourth true']);
    places.leave();
    places.leave();
    expect([await places.enter(), await places.enter()]).toEqual([true, true]);
  });

  it('refuses whoever has waited too long, and does not call it any more', async () => {
    const places = new Places(1, 20);
    expect(await places.enter()).toBe(true);
    expect(await Promise.all([places.enter(), places.enter()])).toEqual([false, false]);
    places.leave();
    expect(await places.enter()).toBe(true);
    const refused = places.enter();
    await systemClock.sleep(40);
    expect(await refused).toBe(false);
  });
});
