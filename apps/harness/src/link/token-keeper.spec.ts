import { renewAfterMs } from './token-keeper';

const HOUR_S = 3600;

describe('renewAfterMs', () => {
  it.each([
    ['a day: after 23 hours', 24 * HOUR_S, 23],
    ['a week: after 23 hours all the same', 7 * 24 * HOUR_S, 23],
    ['eight hours: an hour before', 8 * HOUR_S, 7],
    ['two hours: an hour before', 2 * HOUR_S, 1],
    ['an hour: at half', HOUR_S, 0.5],
    ['a minute: at half', 60, 0.5 / 60],
  ])('%s', (_life, expiresIn, hours) => {
    expect(renewAfterMs(expiresIn)).toBeCloseTo(hours * HOUR_S * 1000, 3);
  });
});
