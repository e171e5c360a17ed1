import { setTimeout as sleep } from 'node:timers/promises';
import { getConnectionToken } from '@nestjs/mongoose';
import { type AgentEventPage } from '@reins/shared/api/agent-presence';
import { type AgentView } from '@reins/shared/api/agents';
import { newObjectId } from '@reins/shared/ids';
import { type Connection } from 'mongoose';
import { type AgentDocument } from '../../apps/controller/src/agents/agent.schema';
import { type AuditDocument } from '../../apps/controller/src/audit/audit.schema';
import { Metrics } from '../../apps/controller/src/metrics/metrics';
import { eventually } from '../support/api-client';
import { boot, type Booted, type Caller, newOrg } from './callers';

jest.setTimeout(60_000);

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
  const failures = async (): Promise<(reason: string) => number> => {
    const text = await controller.app.get(Metrics).text();
    return (reason) =>
      Number(new RegExp(`^reins_connect_failures_total{reason="${reason}"} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  };
  const audited = (id: string): Promise<AuditDocument[]> =>
    controller.app
      .get<Connection>(getConnectionToken())
      .collection<AuditDocument>('audit')
      .find({ 'target.id': id, action: 'agent.locked_out' })
      .toArray();
  const attempt = (id: string, secret: string) => controller.anonymous.post(`/agents/${id}/connect`, { secret });

  it('S7 refuses an agent after its failures and says for how long, then lets it in again', async () => {
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

  it('S7 refuses an address that tries one agent after the other', async () => {
    await sleep(3000);
    for (let i = 0; i < 8; i++) await attempt(newObjectId(), 'guess').expect(404);
    await attempt(newObjectId(), 'guess').expect(429);
  });

  it('S7 a lock-out is an event of the agent, an entry of the audit trail and a figure, once each', async () => {
    await sleep(3000);
    const id = await create();
    const before = await failures();
    for (let i = 0; i < 3; i++) await attempt(id, 'wrong').expect(401);
    for (let i = 0; i < 4; i++) await attempt(id, 'wrong').expect(429);
    const address = expect.stringMatching(/127\.0\.0\.1$/) as string;
    const details = { address, retryAfterSeconds: 3 };
    await eventually(async () => {
      const { items } = (await owner.get(`/agents/${id}/events`).expect(200)).body as AgentEventPage;
      expect(items).toMatchObject([{ type: 'locked_out', reason: null, details }]);
      expect(await audited(id)).toMatchObject([{ actor: 'controller', action: 'agent.locked_out', after: details }]);
    });
    const after = await failures();
    expect(after('wrong_secret') - before('wrong_secret')).toBe(3);
    expect(after('throttled') - before('throttled')).toBe(4);
    expect(JSON.stringify(await audited(id))).not.toContain('wrong');
  });

  it('S7 unknown, wrong and suspended cost the same time', async () => {
    await sleep(3000);
    const quiet = await boot({ CONNECT_FAILURES_PER_AGENT: '100000', CONNECT_FAILURES_PER_ADDRESS: '100000' });
    try {
      const user = await quiet.user(newOrg());
      const make = async (more: object): Promise<string> => {
        const body = { name: 'n', description: '', status: 'active', type: 'autonomous', secret: SECRET, ...more };
        return ((await user.post('/agents', body).expect(201)).body as AgentView)._id;
      };
      const [active, suspended] = [await make({}), await make({ status: 'suspended' })];
      const managed = await make({ type: 'managed', secret: undefined });
      const cases: Record<string, [string, string, number]> = {
        unknown: [newObjectId(), SECRET, 404],
        wrong: [active, 'wrong', 401],
        'suspended, right': [suspended, SECRET, 401],
        'suspended, wrong': [suspended, 'wrong', 401],
        'without a secret': [managed, SECRET, 401],
      };
      const times = new Map(Object.keys(cases).map((name) => [name, [] as number[]]));
      for (let round = 0; round < 15; round++) {
        for (const [name, [id, secret, status]] of Object.entries(cases)) {
          const began = performance.now();
          await quiet.anonymous.post(`/agents/${id}/connect`, { secret }).expect(status);
          times.get(name)?.push(performance.now() - began);
        }
      }
      const medians = [...times.values()].map((values) => values.sort((a, b) => a - b)[7] as number);
      expect(Math.max(...medians) / Math.min(...medians)).toBeLessThan(2);
      // And a right one costs no comparison: it was proven when the secret was stored.
      const right: number[] = [];
      for (let round = 0; round < 15; round++) {
        const began = performance.now();
        await quiet.anonymous.post(`/agents/${active}/connect`, { secret: SECRET }).expect(200);
        right.push(performance.now() - began);
      }
      expect(right.sort((a, b) => a - b)[7]).toBeLessThan(Math.min(...medians));
    } finally {
      await quiet.close();
    }
  });

  it('S7 takes the word of a configured proxy for the address, and of nobody else', async () => {
    const env = { CONNECT_FAILURES_PER_ADDRESS: '3', CONNECT_FAILURES_PER_AGENT: '100' };
    const guess = (at: Booted, from: string) =>
      at.anonymous.post(`/agents/${newObjectId()}/connect`, { secret: 'guess' }).set({ 'X-Forwarded-For': from });
    const alone = await boot(env);
    const behind = await boot({ ...env, TRUST_PROXY: 'loopback' });
    try {
      for (let i = 0; i < 3; i++) await guess(alone, `192.0.2.${i}`).expect(404);
      await guess(alone, '192.0.2.99').expect(429);

      for (let i = 0; i < 3; i++) await guess(behind, `2001:db8:0:1::${i}`).expect(404);
      await guess(behind, '2001:db8:0:1:ffff::1').expect(429);
      await guess(behind, '2001:db8:0:2::1').expect(404);
      // What a client claims of itself in front of the proxy counts for nothing.
      for (let i = 0; i < 3; i++) await guess(behind, `203.0.113.${i}, 192.0.2.7`).expect(404);
      await guess(behind, '203.0.113.9, 192.0.2.7').expect(429);
    } finally {
      await alone.close();
      await behind.close();
    }
  });

  it('S7 a secret costs bcrypt once, whichever controller is asked: the proof is stored', async () => {
    await sleep(3000);
    const id = await create();
    const agents = controller.app.get<Connection>(getConnectionToken()).collection<AgentDocument>('agents');
    const proof = async (): Promise<string | undefined> => (await agents.findOne({ _id: id }))?.secretProof;
    const first = await proof();
    expect(first).toEqual(expect.any(String));
    // As it is after the token secret was changed, or from before there were proofs.
    await agents.updateOne({ _id: id }, { $set: { secretProof: 'of another key' } });
    await attempt(id, SECRET).expect(200);
    expect(await proof()).toBe(first);
    await agents.updateOne({ _id: id }, { $unset: { secretProof: '' } });
    await attempt(id, 'wrong').expect(401);
    expect(await proof()).toBeUndefined();
    await attempt(id, SECRET).expect(200);
    expect(await proof()).toBe(first);
    await owner.post(`/agents/${id}/credentials/regenerate`).expect(200);
    expect(await proof()).toEqual(expect.any(String));
    expect(await proof()).not.toBe(first);
    await attempt(id, SECRET).expect(401);
    await owner.delete(`/agents/${id}`).expect(200);
    expect(await proof()).toBeUndefined();
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
