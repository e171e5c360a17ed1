import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentView } from '@reins/shared/api/agents';
import { newObjectId } from '@reins/shared/ids';
import { boot, type Booted, type Caller, newOrg } from './callers';

const SECRET = 'test-secret-123456';

describe('the throttle of connect', () => {
  let controller: Booted;
  let owner: Caller;

  beforeAll(async () => {
    controller = await boot({
      CONNECT_FAILURES_PER_AGENT: '3',
      CONNECT_FAILURES_PER_ADDRESS: '8',
      CONNECT_FAILURE_WINDOW_SECONDS: '3',
    });
    owner = await controller.user(newOrg());
  }, 60_000);

  afterAll(() => controller.close(), 60_000);

  const create = async (): Promise<string> => {
    const body = { name: 'n', description: '', status: 'active', type: 'autonomous', secret: SECRET };
    return ((await owner.post('/agents', body).expect(201)).body as AgentView)._id;
  };
  const attempt = (id: string, secret: string) => controller.anonymous.post(`/agents/${id}/connect`, { secret });

  it('refuses an agent after its failures and says for how long, then lets it in again', async () => {
    const id = await create();
    for (let i = 0; i < 3; i++) await attempt(id, 'wrong').expect(401);
    const refused = await attempt(id, SECRET).expect(429);
    expect(refused.body).toMatchObject({ statusCode: 429, code: 'too_many_requests', retryable: true });
    const seconds = Number(refused.headers['retry-after']);
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(3);
    await attempt(await create(), SECRET).expect(200);
    await sleep(seconds * 1000);
    await attempt(id, SECRET).expect(200);
  });

  it('counts many wrong attempts at once as what they are', async () => {
    await sleep(3000);
    const id = await create();
    const answers = await Promise.all(Array.from({ length: 30 }, () => attempt(id, 'wrong')));
    const refused = answers.filter(({ status }) => status === 429).length;
    expect(answers.filter(({ status }) => status === 401).length + refused).toBe(30);
    // At most those whose comparison had begun before the limit was reached.
    expect(refused).toBeGreaterThanOrEqual(24);
  });

  it('refuses an address that tries one agent after the other', async () => {
    await sleep(3000);
    for (let i = 0; i < 8; i++) await attempt(newObjectId(), 'guess').expect(404);
    await attempt(newObjectId(), 'guess').expect(429);
  });

  it('does not mind any number of good connects', async () => {
    await sleep(3000);
    const id = await create();
    const answers = await Promise.all(Array.from({ length: 200 }, () => attempt(id, SECRET)));
    expect(
      answers.filter(({ status }) => status !== 200).map(({ status, body }) => ({ status, body: body as object })),
    ).toEqual([]);
  }, 60_000);
});
