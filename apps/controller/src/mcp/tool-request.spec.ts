import { ToolExecution } from '@reins/shared/api/tools';
import { toolRequest, UnfitArguments } from './tool-request';

const execution = (more: object): ToolExecution =>
  ToolExecution.parse({ method: 'GET', baseUrl: 'https://api.example/v1/', path: '/cities/{city}', ...more });

describe('toolRequest', () => {
  it('fills the path and puts the rest into the query of GET and DELETE', () => {
    for (const method of ['GET', 'DELETE']) {
      const given = { city: 'Bad Ems/Ä', days: 3, tags: ['a', 'b'], more: { x: 1 }, none: null };
      const { url, body } = toolRequest(execution({ method }), given);
      expect(url.href).toBe(
        'https://api.example/v1/cities/Bad%20Ems%2F%C3%84?days=3&tags=a&tags=b&more=%7B%22x%22%3A1%7D',
      );
      expect(body).toBeUndefined();
    }
  });

  it('puts the rest into the body of other methods', () => {
    for (const method of ['POST', 'PUT', 'PATCH']) {
      const { url, body, headers } = toolRequest(execution({ method, headers: { 'X-A': '1' } }), {
        city: 'x',
        n: null,
      });
      expect(url.href).toBe('https://api.example/v1/cities/x');
      expect(JSON.parse(body ?? '')).toEqual({ n: null });
      expect(headers).toEqual({ 'Content-Type': 'application/json', 'X-A': '1' });
    }
  });

  it('keeps every argument within its segment', () => {
    for (const city of ['a/../../admin', 'a?b#c', '//evil.example', '\\', '%2e%2e', '@evil.example', 'a\r\nb']) {
      const { url } = toolRequest(execution({}), { city });
      expect(url.origin).toBe('https://api.example');
      expect(decodeURIComponent(url.pathname)).toBe(`/v1/cities/${city}`);
      expect(url.pathname.split('/')).toHaveLength(4);
      expect(url.search + url.hash).toBe('');
    }
  });

  it.each<[object, unknown]>([
    [{}, '..'],
    [{}, '.'],
    [{}, ''],
    [{}, undefined],
    [{}, null],
    [{}, {}],
    [{}, ['x']],
    [{}, '\ud800'],
    [{ path: '/a/{city}{city}/b' }, '.'],
    [{ path: '/a/%2e{city}/b' }, '.'],
    [{ path: '/a/.{city}' }, '.'],
  ])('refuses in %j the city %j', (more, city) => {
    expect(() => toolRequest(execution(more), { city })).toThrow(UnfitArguments);
  });

  it('takes no argument from a prototype', () => {
    expect(() => toolRequest(execution({ path: '/{constructor}' }), {})).toThrow(UnfitArguments);
  });
});
