import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EnrollBody } from '@reins/shared/api/enrollment';
import { newObjectId } from '@reins/shared/ids';
import { createLogger, Secrets } from '../log/logger';
import { readCredentials, writeCredentials } from './credentials-file';
import { EnrollmentRefused } from './enrollment-refused';
import { establishIdentity, type Identity } from './identity';

const TOKEN = 're_a-token-of-the-test';
const SECRET = 'a-secret-that-was-given-out';

type Reply = (response: ServerResponse, body: EnrollBody) => void;

const agentId = newObjectId();
const ok: Reply = (response, body) => {
  response
    .writeHead(201)
    .end(
      JSON.stringify({ agentId, secret: SECRET, orgId: 'org', name: body.name ?? 'host-1', baseUrl: 'http://public' }),
    );
};
const refuse =
  (status: number, body: object = {}, headers: Record<string, string> = {}): Reply =>
  (response) =>
    response.writeHead(status, headers).end(JSON.stringify({ message: 'no', ...body }));
const hangUp: Reply = (response) => response.socket?.destroy();

let stateDir: string;
let server: Server;
let replies: Reply[];
let asked: EnrollBody[];
let lines: string[];
let stopped: AbortController;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'reins-identity-'));
  replies = [];
  asked = [];
  lines = [];
  stopped = new AbortController();
  server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      asked.push(body);
      (replies.shift() ?? ok)(response, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(stateDir, { recursive: true, force: true });
});

async function bodyOf(request: IncomingMessage): Promise<EnrollBody> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as EnrollBody;
}

const baseUrl = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function establish(env: Record<string, string>): Promise<Identity> {
  const secrets = new Secrets();
  return establishIdentity({
    enabled: env['AIWM_ENABLED'] !== 'false',
    managed: false,
    env,
    stateDir,
    baseUrl: baseUrl(),
    version: '1.2.3',
    supportedTypes: ['javascript'],
    capacity: 4,
    log: createLogger({ level: 'debug', secrets, write: (line) => lines.push(line) }),
    signal: stopped.signal,
    onSecret: (secret) => secrets.add(secret),
  });
}

const token = { REINS_ENROLLMENT_TOKEN: TOKEN };
const file = (): string => join(stateDir, 'credentials.json');
const stored = () => ({
  agentId,
  secret: 'stored-secret-of-the-file',
  orgId: 'org',
  name: 'n',
  baseUrl: baseUrl(),
  enrolledAt: 'then',
});

describe('establishIdentity', () => {
  it('registers once, writes the credentials down, and is that agent from then on without asking', async () => {
    const env = { ...token, AGENT_NAME: `it's "one"`, AGENT_LABELS: 'zone=eu' };
    const first = await establish(env);
    expect(first).toEqual({ variables: { AIWM_AGENT_ID: agentId, AIWM_AGENT_SECRET: SECRET }, file: file() });
    expect(asked).toMatchObject([
      {
        token: TOKEN,
        name: `it's "one"`,
        labels: { zone: 'eu' },
        supportedTypes: ['javascript'],
        capacity: 4,
        harness: { version: '1.2.3' },
      },
    ]);
    expect(readCredentials(file())).toMatchObject({ agentId, secret: SECRET, orgId: 'org', baseUrl: baseUrl() });
    expect(readdirSync(stateDir)).toEqual(['credentials.json']);
    expect(await establish(env)).toEqual(first);
    expect(await establish({})).toEqual(first);
    expect(asked.length).toBe(1);
  });

  it('asks again with the same key while answers are lost or the controller is away', async () => {
    replies = [hangUp, refuse(503), refuse(429, {}, { 'retry-after': '0' }), ok];
    await establish(token);
    expect(asked.length).toBe(4);
    expect(new Set(asked.map(({ enrollmentKey }) => enrollmentKey)).size).toBe(1);
    expect(asked[0]?.enrollmentKey).toHaveLength(43);
  }, 30_000);

  it('a harness that was cut off before it could write asks with the same key after its restart', async () => {
    replies = [(response, body) => (stopped.abort(new Error('killed')), ok(response, body))];
    await expect(establish(token)).rejects.toThrow('killed');
    expect(existsSync(file())).toBe(false);
    stopped = new AbortController();
    await establish(token);
    expect(asked.length).toBe(2);
    expect(asked[1]?.enrollmentKey).toBe(asked[0]?.enrollmentKey);
  });

  it.each([
    [401, 'the enrollment token is refused: it is unknown, expired, revoked or used up'],
    [404, 'offers no self-registration; check AIWM_BASE_URL'],
    [400, 'the controller does not register this harness (400): no'],
  ])('gives up after %d with one plain sentence', async (status, sentence) => {
    replies = [refuse(status)];
    const attempt = establish(token);
    await expect(attempt).rejects.toThrow(EnrollmentRefused);
    await expect(attempt).rejects.toThrow(sentence);
    expect(asked.length).toBe(1);
    expect(existsSync(file())).toBe(false);
  });

  it('prefers the environment to the file, and the file to registering', async () => {
    writeCredentials(file(), stored());
    const own = { AIWM_AGENT_ID: newObjectId(), AIWM_AGENT_SECRET: 'secret-of-the-environment' };
    expect(await establish({ ...token, ...own })).toEqual({ variables: {} });
    expect(await establish({ ...token, AIWM_AGENT_ID: agentId.toUpperCase() })).toMatchObject({ file: file() });
    expect((await establish(token)).variables.AIWM_AGENT_SECRET).toBe(stored().secret);
    expect(await establish({})).toMatchObject({ file: file() });
    expect(asked).toEqual([]);
  });

  it('does without a controller where there is to be none', async () => {
    expect(await establish({ ...token, AIWM_ENABLED: 'false' })).toEqual({ variables: {} });
    expect(asked).toEqual([]);
  });

  it('refuses to guess which agent is meant', async () => {
    await expect(establish({ ...token, AIWM_AGENT_ID: newObjectId() })).rejects.toThrow(
      'AIWM_AGENT_ID is set without AIWM_AGENT_SECRET',
    );
    writeCredentials(file(), stored());
    await expect(establish({ AIWM_AGENT_ID: newObjectId() })).rejects.toThrow('names another agent than');
    expect(asked).toEqual([]);
  });

  it('never registers over a file it cannot use', async () => {
    writeFileSync(file(), 'damaged', { mode: 0o600 });
    await expect(establish(token)).rejects.toThrow('delete it to register as a new agent');
    chmodSync(file(), 0o644);
    await expect(establish(token)).rejects.toThrow('can be read by others');
    expect(readFileSync(file(), 'utf8')).toBe('damaged');
    expect(asked).toEqual([]);
  });

  it('logs neither the token nor the secret', async () => {
    replies = [refuse(503, { message: `${TOKEN} ${SECRET}` }), ok];
    await establish(token);
    await establish(token);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join('')).not.toContain(TOKEN);
  });
});
