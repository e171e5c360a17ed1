import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { createLogger, Secrets } from '../log/logger';
import { alertOf, sendAlert } from './alert';

const lines: string[] = [];
const log = createLogger({ level: 'debug', secrets: new Secrets(), write: (line) => lines.push(line) });
const alert = { event: alertOf('not_found'), agentId: 'a1', reason: 'the agent does not exist (any more)' };
let server: Server;
let url: string;
let status = 200;
const requests: { method: string | undefined; path: string | undefined; type: string | undefined; body: string }[] = [];

beforeEach(async () => {
  lines.length = requests.length = 0;
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const type = request.headers['content-type'];
      requests.push({ method: request.method, path: request.url, type, body });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => server.close());

describe('sendAlert', () => {
  it('posts the event, the agent and the reason once, and nothing else', async () => {
    await sendAlert(`${url}/hooks/pass-word-of-the-hook`, alert, log);
    expect(requests).toEqual([
      {
        method: 'POST',
        path: '/hooks/pass-word-of-the-hook',
        type: 'application/json',
        body: '{"event":"agent.not_found","agentId":"a1","reason":"the agent does not exist (any more)"}',
      },
    ]);
    expect(lines.join('')).not.toContain('pass-word-of-the-hook');
  });

  it('never rejects: not for a refusal, not for nobody there', async () => {
    status = 500;
    await sendAlert(url, alert, log);
    server.close();
    await sendAlert(url, alert, log);
    expect(lines.filter((line) => line.includes('the alert was not taken'))).toHaveLength(2);
    status = 200;
  });
});
