import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { pinoHttp, type Options } from 'pino-http';
import { loadConfig } from '../config/config';
import { loggerOptions } from './logger-options';

/** What is logged of one request. */
async function logged(path: string, headers: Record<string, string> = {}): Promise<string> {
  const config = loadConfig({ LOG_LEVEL: 'trace' }, () => 'd'.repeat(64));
  const lines: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  const log = pinoHttp({ ...(loggerOptions(config).pinoHttp as Options), stream: sink });
  const server = createServer((request, response) => {
    log(request, response);
    request.log.warn({ token: 'rv_in-an-object', nested: { secret: 'rv_deeper' } }, 'within the request');
    response.statusCode = 401;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await (await fetch(`http://127.0.0.1:${port}${path}`, { headers })).text();
  await new Promise((resolve) => server.close(resolve));
  return lines.join('');
}

describe('loggerOptions', () => {
  it('logs addresses without the token in their query', async () => {
    const lines = await logged('/sessions/sess-1/events?after=3&access_token=rv_hidden&%61ccess_token=rv_hidden');
    expect(lines).toContain('/sessions/sess-1/events?after=3&access_token=***');
    expect(lines).not.toContain('rv_');
  });

  it('logs no headers', async () => {
    const lines = await logged('/sessions', { authorization: 'Bearer rk_hidden', cookie: 'rk_hidden' });
    expect(lines).toContain('"statusCode":401');
    expect(lines).not.toContain('rk_');
  });
});
