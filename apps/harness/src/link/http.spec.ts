import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { failureFields, HttpFailure, httpRequest, HttpRefusal } from './http';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const failureOf = (request: Promise<unknown>): Promise<unknown> =>
  request.then(
    () => 'it succeeded',
    (error: unknown) => error,
  );

describe('httpRequest', () => {
  it('sends a correlation id of its own with each request and says it with the answer', async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      seen.push(request.headers['x-correlation-id']);
      response.end('{}');
    });
    const answers = [await httpRequest(url), await httpRequest(url)];
    expect(answers.map(({ correlationId }) => correlationId)).toEqual(seen);
    expect(new Set(seen).size).toBe(2);
  });

  it('says it with a refusal, too', async () => {
    let id: unknown;
    const url = await serve((request, response) => {
      id = request.headers['x-correlation-id'];
      response.writeHead(429, { 'retry-after': '3' }).end('{"error":{"code":"busy","message":"later"}}');
    });
    const error = await failureOf(httpRequest(url));
    expect(error).toBeInstanceOf(HttpRefusal);
    expect(error).toMatchObject({ status: 429, code: 'busy', message: 'later', retryAfterMs: 3000 });
    expect(failureFields(error)).toEqual({ reason: 'later', correlationId: id });
  });

  it('gives up an answer that does not come, and one that stops in the middle', async () => {
    let id: unknown;
    const silent = await serve((request) => (id = request.headers['x-correlation-id']));
    const error = await failureOf(httpRequest(silent, { timeoutMs: 60 }));
    expect(error).toBeInstanceOf(HttpFailure);
    expect(failureFields(error)).toEqual({ reason: 'no answer within 60 ms', correlationId: id });
    const halting = await serve((_request, response) => void response.writeHead(200).write('{"tok'));
    await expect(httpRequest(halting, { timeoutMs: 60 })).rejects.toThrow('no answer within 60 ms');
  });

  it('names the reason of the network, whatever number of addresses a name has', async () => {
    const url = await serve(() => undefined);
    servers.splice(0).forEach((server) => server.close());
    await expect(httpRequest(url)).rejects.toThrow(/ECONNREFUSED/);
    await expect(httpRequest(url.replace('127.0.0.1', 'localhost'))).rejects.toThrow(/ECONNREFUSED/);
  });

  it('is no answer where somebody else answers HTML', async () => {
    const url = await serve((_request, response) => void response.writeHead(502).end('<html>bad gateway</html>'));
    await expect(httpRequest(url)).rejects.toMatchObject({ status: 502, code: undefined, message: 'HTTP 502' });
  });
});
