import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { newId } from '@reins/shared/ids';
import { EXIT } from '../lifecycle/exit-codes';
import { createLogger, Secrets } from '../log/logger';
import { awaitAssignment } from './await-assignment';

const ASSIGNMENT = { agentId: 'a'.repeat(24), secret: 'the secret', environment: { KEY: 'value' } };
const incarnation = newId('incarnation');

let server: Server | undefined;
let asked: { authorization: string | undefined; body: string }[];
const stopped = new AbortController();

/** A controller that gives these answers one after another, the last one again and again; undefined hangs up. */
async function answering(...answers: ({ status: number; body: object } | undefined)[]): Promise<string> {
  asked = [];
  server = createServer((request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      asked.push({ authorization: request.headers.authorization, body });
      const answer = answers[Math.min(asked.length, answers.length) - 1];
      if (answer === undefined) return void request.socket.destroy();
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
});

const waitAt = (baseUrl: string, more: { patienceMs?: number; signal?: AbortSignal } = {}) =>
  awaitAssignment({
    baseUrl,
    token: 'the token',
    incarnation,
    patienceMs: 60_000,
    log: createLogger({ level: 'error', secrets: new Secrets() }),
    signal: stopped.signal,
    rng: { next: () => 0 },
    ...more,
  });

describe('awaitAssignment', () => {
  it('asks with its token and its incarnation until there is a session', async () => {
    const none = { status: 200, body: { assignment: null } };
    const url = await answering(none, none, { status: 200, body: { assignment: ASSIGNMENT } });
    await expect(waitAt(url)).resolves.toEqual(ASSIGNMENT);
    const question = { authorization: 'Bearer the token', body: JSON.stringify({ incarnation }) };
    expect(asked).toEqual([question, question, question]);
  });

  it('bears with a controller that is away, fails or answers nonsense', async () => {
    const failing = [undefined, { status: 500, body: {} }, { status: 429, body: {} }, { status: 200, body: {} }];
    const url = await answering(...failing, { status: 200, body: { assignment: ASSIGNMENT } });
    await expect(waitAt(url)).resolves.toEqual(ASSIGNMENT);
    expect(asked).toHaveLength(5);
  });

  it.each([401, 403, 404])('leaves in order where it is not to wait any more: %d', async (status) => {
    const url = await answering({ status, body: { message: 'not any more' } });
    await expect(waitAt(url)).rejects.toMatchObject({ name: 'PoolOver', code: EXIT.ok });
    expect(asked).toHaveLength(1);
  });

  it('gives up where the controller is gone for longer than it may be', async () => {
    const url = await answering(undefined);
    await expect(waitAt(url, { patienceMs: 0 })).rejects.toMatchObject({ name: 'PoolOver', code: EXIT.unreachable });
  });

  it('ends when it is told to', async () => {
    const url = await answering({ status: 200, body: { assignment: null } });
    const leaving = new AbortController();
    const waiting = waitAt(url, { signal: leaving.signal });
    leaving.abort(new Error('SIGTERM'));
    await expect(waiting).rejects.toThrow('SIGTERM');
  });
});
