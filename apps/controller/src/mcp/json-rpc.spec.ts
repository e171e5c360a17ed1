import { readMessage } from './json-rpc';

describe('readMessage', () => {
  it.each([1, 'a', 0, ''])('takes a request with the id %j', (id) => {
    expect(readMessage({ jsonrpc: '2.0', id, method: 'ping' })).toEqual({
      kind: 'request',
      id,
      method: 'ping',
      params: undefined,
    });
  });

  it.each([
    ['a notification', { jsonrpc: '2.0', method: 'notifications/initialized' }],
    ['an answer', { jsonrpc: '2.0', id: 1, result: {} }],
    ['an answer that is an error', { jsonrpc: '2.0', id: 1, error: { code: 1, message: 'x' } }],
  ])('says nothing to %s', (_, body) => {
    expect(readMessage(body)).toEqual({ kind: 'silent' });
  });

  it.each<[unknown, string | number | null]>([
    [undefined, null],
    [null, null],
    ['x', null],
    [[], null],
    [[{ jsonrpc: '2.0', id: 1, method: 'ping' }], null],
    [{}, null],
    [{ id: 7, method: 'ping' }, 7],
    [{ jsonrpc: '1.0', id: 'a', method: 'ping' }, 'a'],
    [{ jsonrpc: '2.0', id: 7 }, 7],
    [{ jsonrpc: '2.0', id: 7, method: 1 }, 7],
    [{ jsonrpc: '2.0', id: 7, method: 'x', params: 'y' }, 7],
    [{ jsonrpc: '2.0', id: null, method: 'ping' }, null],
    [{ jsonrpc: '2.0', id: 1.5, method: 'ping' }, null],
    [{ jsonrpc: '2.0', id: {}, method: 'ping' }, null],
  ])('refuses %j', (body, id) => {
    expect(readMessage(body)).toEqual({ kind: 'invalid', id, reason: expect.any(String) as string });
  });
});
