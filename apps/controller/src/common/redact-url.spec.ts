import { redactUrl } from './redact-url';

describe('redactUrl', () => {
  it.each([
    ['/sessions/1/events?access_token=rv_abc', '/sessions/1/events?access_token=***'],
    ['/s?after=3&access_token=rv_abc&limit=2', '/s?after=3&access_token=***&limit=2'],
    ['/s?access_token=a&access_token=b=c', '/s?access_token=***&access_token=***'],
    ['/s?ACCESS_TOKEN=a', '/s?ACCESS_TOKEN=***'],
    ['/s?%61ccess%5Ftoken=a', '/s?%61ccess%5Ftoken=***'],
    ['/s?access_token[]=a', '/s?access_token[]=***'],
    ['/s?%=1&access_token=a', '/s?%=1&access_token=***'],
    ['/s?after=1', '/s?after=1'],
    ['/sessions', '/sessions'],
    [undefined, undefined],
  ])('%s becomes %s', (url, expected) => {
    expect(redactUrl(url)).toBe(expected);
  });
});
