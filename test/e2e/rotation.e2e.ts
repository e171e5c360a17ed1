import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentView, type RegenerateResponse } from '@reins/shared/api/agents';
import { type CreatedEnrollmentToken, type EnrollResponse, RotateResponse } from '@reins/shared/api/enrollment';
import { type ConnectResponse } from '@reins/shared/link/connect';
import { getConnectionToken } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { eventually } from '../support/api-client';
import { ScriptedHarness } from '../support/scripted-harness';
import { boot, type Booted, type Caller, newOrg } from './callers';

const OVERLAP_SECONDS = 3;

describe('rotation of credentials', () => {
  let controller: Booted;
  let org: string;
  let owner: Caller;
  let agent: EnrollResponse;

  beforeAll(async () => {
    controller = await boot({
      CREDENTIAL_OVERLAP_SECONDS: `${OVERLAP_SECONDS}`,
      CONNECT_FAILURES_PER_ADDRESS: '100000',
    });
  }, 60_000);

  afterAll(() => controller.close(), 60_000);

  beforeEach(async () => {
    org = newOrg();
    owner = await controller.user(org);
    agent = await enrolled();
  });

  const enrolled = async (): Promise<EnrollResponse> => {
    const minted = await owner.post('/admin/enrollment-tokens', { name: 'n' }).expect(201);
    const { token } = minted.body as CreatedEnrollmentToken;
    return (await controller.anonymous.post('/agents/enroll', { token }).expect(201)).body as EnrollResponse;
  };
  const connect = (secret: string, { agentId } = agent) =>
    controller.anonymous.post(`/agents/${agentId}/connect`, { secret });
  const self = async (of = agent): Promise<Caller> =>
    controller.bearer(((await connect(of.secret, of).expect(200)).body as ConnectResponse).token);
  const path = (of = agent): string => `/agents/${of.agentId}/credentials/rotate`;
  const rotate = async (by: Caller, body?: object): Promise<RotateResponse> =>
    RotateResponse.parse((await by.post(path(), body).expect(200)).body);
  const view = async (): Promise<AgentView> =>
    (await owner.get(`/agents/${agent.agentId}`).expect(200)).body as AgentView;
  const configuration = async (by: Caller): Promise<ConnectResponse> =>
    (await by.get(`/agents/${agent.agentId}/config`).expect(200)).body as ConnectResponse;
  const actions = async (): Promise<unknown[]> => {
    const audit = controller.app.get<Connection>(getConnectionToken()).collection('audit');
    const entries = await audit.find({ orgId: org, 'target.id': agent.agentId }).sort({ _id: 1 }).toArray();
    return entries.map(({ action }) => action as unknown);
  };

  describe('by the agent', () => {
    it('gives a new secret beside the old one, which ends after the overlap; token and socket stay', async () => {
      const harness = await ScriptedHarness.connect(controller.url, agent);
      const by = controller.bearer(harness.configuration.token);
      const { secret, previousValidUntil } = await rotate(by, { secret: agent.secret });
      const left = Date.parse(previousValidUntil) - Date.now();
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(OVERLAP_SECONDS * 1000);
      await connect(secret).expect(200);
      await connect(agent.secret).expect(200);
      await sleep(left + 50);
      await connect(agent.secret).expect(401);
      await connect(secret).expect(200);
      await configuration(by);
      expect(harness.socket.connected).toBe(true);
      expect(harness.received.filter(({ event }) => event === 'bye')).toEqual([]);
      harness.socket.disconnect();
      expect(await actions()).toEqual(['agent.enrolled', 'agent.credentialsRotated']);
    }, 30_000);

    it('asked for again with the secret it holds, because the answer was lost, keeps that one working', async () => {
      const by = await self();
      const lost = await rotate(by, { secret: agent.secret });
      const again = await rotate(by, { secret: agent.secret });
      await connect(lost.secret).expect(401);
      await connect(agent.secret).expect(200);
      await connect(again.secret).expect(200);
    });

    it('takes no secret that is not the agent’s, and of two at once one wins', async () => {
      const by = await self();
      await by.post(path(), { secret: 'a guess that is wrong' }).expect(401);
      await by.post(path(), { secret: 7 }).expect(400);
      const answers = await Promise.all([by.post(path()), by.post(path())]);
      const won = answers.filter(({ status }) => status === 200);
      expect(won.length).toBeGreaterThanOrEqual(1);
      expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
      const works = await Promise.all(won.map(({ body }) => connect((body as RotateResponse).secret)));
      expect(works.some(({ status }) => status === 200)).toBe(true);
    });

    it('S2 needs the token of that very agent', async () => {
      const other = await enrolled();
      await (await self(other)).post(path()).expect(403);
      await controller.anonymous.post(path()).expect(401);
      await connect(agent.secret).expect(200);
    });
  });

  describe('by an editor', () => {
    it('asks the connected harness, which sees it in its configuration until it has rotated', async () => {
      const harness = await ScriptedHarness.connect(controller.url, agent);
      const by = controller.bearer(harness.configuration.token);
      const editor = await controller.user(org, 'organization.editor');
      const { rotationRequestedAt } = (await editor.post(path()).expect(202)).body as { rotationRequestedAt: string };
      expect(await view()).toMatchObject({ rotationRequestedAt });
      const wake = await eventually(() => {
        const heard = harness.received.find(({ event }) => event === 'wake')?.body as { configVersion?: string };
        expect(heard.configVersion).toBeDefined();
        return Promise.resolve(heard);
      });
      const asked = await configuration(by);
      expect(asked).toMatchObject({ credentials: { rotationRequestedAt }, configVersion: wake.configVersion });
      expect(asked.configVersion).not.toBe(harness.configuration.configVersion);

      await rotate(by, { secret: agent.secret });
      const after = await configuration(by);
      expect(after.credentials).toBeUndefined();
      expect(after.configVersion).toBe(harness.configuration.configVersion);
      expect(await view()).toMatchObject({ rotationRequestedAt: null, configVersion: after.configVersion });
      expect((await actions()).slice(1)).toEqual(['agent.rotationRequested', 'agent.credentialsRotated']);
      harness.socket.disconnect();
    }, 30_000);

    it('reaches a harness that was away by its next connect', async () => {
      const { rotationRequestedAt } = (await owner.post(path()).expect(202)).body as { rotationRequestedAt: string };
      expect((await connect(agent.secret).expect(200)).body).toMatchObject({ credentials: { rotationRequestedAt } });
    });

    it('S1 not by a viewer, not from another organisation, not for a managed agent', async () => {
      await (await controller.user(org, 'organization.viewer')).post(path()).expect(403);
      await (await controller.user(newOrg())).post(path()).expect(404);
      const managed = (await owner.post('/agents', { name: 'm', description: '', status: 'active' }).expect(201))
        .body as AgentView;
      const refused = await owner.post(`/agents/${managed._id}/credentials/rotate`).expect(400);
      expect(refused.body).toMatchObject({ code: 'agent_is_managed' });
      expect(await view()).toMatchObject({ rotationRequestedAt: null });
    });

    it('is settled by a regenerate, after which an enrolled harness with its old secret is refused', async () => {
      await owner.post(path()).expect(202);
      const regenerated = await owner.post(`/agents/${agent.agentId}/credentials/regenerate`).expect(200);
      expect(await view()).toMatchObject({ rotationRequestedAt: null });
      await connect(agent.secret).expect(401);
      const { secret } = regenerated.body as RegenerateResponse;
      const answer = (await connect(secret).expect(200)).body as ConnectResponse;
      expect(answer.credentials).toBeUndefined();
      expect((await view()).configVersion).toBe(answer.configVersion);
    });
  });

  it('a regenerate after a rotation ends the overlap too', async () => {
    await rotate(await self(), { secret: agent.secret });
    await owner.post(`/agents/${agent.agentId}/credentials/regenerate`).expect(200);
    await connect(agent.secret).expect(401);
  });
});
