import { isLocal } from './is-local';

describe('isLocal', () => {
  it.each([
    ['127.0.0.1', {}, true],
    ['127.8.8.8', {}, true],
    ['::1', {}, true],
    ['::ffff:127.0.0.1', {}, true],
    ['10.0.0.1', {}, false],
    ['::ffff:10.0.0.1', {}, false],
    ['127.0.0.1', { 'x-forwarded-for': '1.2.3.4' }, false],
    ['127.0.0.1', { forwarded: 'for=1.2.3.4' }, false],
  ])('%s with %j: %s', (remoteAddress, headers, expected) => {
    expect(isLocal({ headers, socket: { remoteAddress } })).toBe(expected);
  });

  it('is false for a connection that is gone', () => {
    expect(isLocal({ headers: {}, socket: {} })).toBe(false);
  });
});
