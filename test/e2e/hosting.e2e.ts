import { type AgentView } from '@reins/shared/api/agents';
import { systemClock } from '@reins/shared/util';
import { ApiClient, eventually } from '../support/api-client';
import { bootController } from '../support/controller';
import { HostingWorld } from './hosting-world';

jest.setTimeout(60_000);

let world: HostingWorld;

beforeAll(async () => {
  world = await HostingWorld.boot();
}, 60_000);
beforeEach(() => world.nextTest());
afterEach(() => world.closeHosts());
afterAll(() => world.controller.close(), 60_000);

describe('placement', () => {
  it.each([
    ['first', 0],
    ['last', 2],
    ['select:min:temperature', 1],
    ['select:max:temperature', 2],
    ['select:first_success:gpu', 1],
  ])('%s gives the session to the host it names', async (mode, expected) => {
    const hosts = [
      await world.host('a', { metrics: { temperature: 50, gpu: false } }),
      await world.host('b', { metrics: { temperature: 20, gpu: true } }),
      await world.host('c', { metrics: { temperature: 90, gpu: true } }),
    ];
    const { id } = await world.placed(mode);
    const session = await world.active(id);
    expect(session).toMatchObject({ launcher: 'external', agentId: hosts[expected]?.agentId, phase: 'ready' });
    expect(hosts.map(({ sessions }) => sessions.length)).toEqual(
      [0, 1, 2].map((index) => (index === expected ? 1 : 0)),
    );
    expect((await world.agent(session.agentId ?? '')).boundSessions).toEqual([id]);
  });

  it('min_load spreads sessions by the share of places that are taken', async () => {
    const small = await world.host('small', { capacity: 2 });
    const large = await world.host('large', { capacity: 6 });
    for (let i = 0; i < 4; i++) await world.active((await world.placed()).id);
    expect([small.sessions.length, large.sessions.length]).toEqual([1, 3]);
  });

  it('random uses every host', async () => {
    const hosts = [await world.host('a', { capacity: 30 }), await world.host('b', { capacity: 30 })];
    await Promise.all(Array.from({ length: 16 }, async () => world.active((await world.placed('random')).id)));
    for (const { sessions } of hosts) expect(sessions.length).toBeGreaterThan(0);
  });

  it('exact takes the only one, and names the candidates where there are more', async () => {
    const only = await world.host('only');
    expect(await world.active((await world.placed('exact')).id)).toMatchObject({ agentId: only.agentId });
    const other = await world.host('other');
    const answer = await world.create({ placement: { mode: 'exact', labels: world.labels } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'placement_ambiguous' } });
    expect(JSON.stringify(answer.body)).toContain(only.agentId);
    expect(JSON.stringify(answer.body)).toContain(other.agentId);
  });

  it('a bad mode is refused with the list of modes', async () => {
    const answers = [
      await world.create({ placement: { mode: 'fastest' } }),
      await world.create({ selectionMode: 'select:avg:cpu' }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(400);
      expect(JSON.stringify(answer.body)).toMatch(/random, first, last, exact, min_load, select:min:<metric>/);
    }
  });

  it('a worker says where its sessions run, and the controller needs no word from the caller', async () => {
    const there = await world.host('there');
    const own = await world.api.worker('javascript', { placement: { mode: 'first', labels: world.labels } });
    const { id, placement } = await world.api.session(own);
    expect(placement).toEqual({ mode: 'first', labels: world.labels });
    expect(await world.active(id)).toMatchObject({ agentId: there.agentId, launcher: 'external' });
  });

  it('only active, enabled, connected hosts of the kind with the labels are given sessions', async () => {
    await world.connect(await world.identity('disabled', { acceptsSessions: false }));
    await world.connect(await world.identity('inactive', { status: 'inactive' }));
    await world.identity('never connected');
    await world.host('another kind', { supportedTypes: ['codex'] });
    await world.host('no place', { capacity: 0 });
    const chosen = await world.host('chosen');
    for (let i = 0; i < 3; i++)
      expect(await world.active((await world.placed('random')).id)).toMatchObject({ agentId: chosen.agentId });
  });
});

describe('a session pinned to an agent', () => {
  it('runs there, whatever others could', async () => {
    await world.host('other');
    const mine = await world.host('mine');
    const { id } = await world.api.session(world.workerId, { agentId: mine.agentId });
    expect(await world.active(id)).toMatchObject({ agentId: mine.agentId, placement: null });
    const answer = world.api.prompt(id, 'hello');
    const turn = await mine.take(id);
    await mine.finish(turn, 'from the host');
    expect((await answer).response).toBe('from the host');
  });

  it('waits for its agent, not for another', async () => {
    const credentials = await world.identity('away');
    const other = await world.host('other');
    const { id } = await world.api.session(world.workerId, { agentId: credentials.agentId });
    await world.waiting(id, /away/);
    await world.connect(credentials);
    expect(await world.active(id)).toMatchObject({ agentId: credentials.agentId });
    expect(other.sessions).toEqual([]);
  });

  it('is refused, in words, where that agent can never take it', async () => {
    const managed = await world.api.must<AgentView>('POST', '/agents', {
      name: 'm',
      description: 'd',
      status: 'active',
    });
    const codex = await world.host('codex', { supportedTypes: ['codex', 'gemini'] });
    const disabled = await world.connect(await world.identity('disabled', { acceptsSessions: false }));
    const suspended = await world.identity('suspended', { status: 'suspended' });
    const cases: [string, number, string, RegExp][] = [
      ['0123456789abcdef01234567', 404, 'agent_not_found', /0123456789abcdef01234567 not found/],
      [managed._id, 400, 'agent_unsuitable', /managed/],
      [codex.agentId, 400, 'agent_unsuitable', /does not support 'javascript'. Supported types: \[codex, gemini\]/],
      [disabled.agentId, 400, 'agent_unsuitable', /acceptsSessions is false/],
      [suspended.agentId, 400, 'agent_unsuitable', /suspended/],
    ];
    for (const [agentId, status, code, words] of cases) {
      const answer = await world.create({ agentId });
      expect(answer).toMatchObject({ status, body: { code } });
      expect(JSON.stringify(answer.body)).toMatch(words);
    }
    const both = await world.create({ agentId: codex.agentId, selectionMode: 'first' });
    expect(both).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
  });
});

describe('places', () => {
  it('20 sessions at once on 2 hosts of 5 places: 10 are bound, 10 wait, and move on as others end', async () => {
    const hosts = [await world.host('a', { capacity: 5 }), await world.host('b', { capacity: 5 })];
    const made = await Promise.all(Array.from({ length: 20 }, () => world.placed()));
    const ids = made.map(({ id }) => id);
    const inState = async (status: string): Promise<string[]> => {
      const all = await Promise.all(ids.map((id) => world.api.get(id)));
      return all.filter((session) => session.status === status).map(({ id }) => id);
    };
    await eventually(async () => expect(await inState('active')).toHaveLength(10), 30_000);
    const left = await inState('pending');
    expect(left).toHaveLength(10);
    for (const id of left) await world.waiting(id, /free place: (a 5 of 5, b 5 of 5|b 5 of 5, a 5 of 5)/);
    // Long enough for the watch to look several times: nobody gets a place that is not there.
    await systemClock.sleep(3_000);
    expect(await inState('active')).toHaveLength(10);
    for (const { agentId } of hosts) expect((await world.agent(agentId)).boundSessions).toHaveLength(5);

    for (const id of await inState('active')) await world.end(id);
    await eventually(async () => expect(await inState('active')).toHaveLength(10), 30_000);
    for (const { agentId } of hosts) expect((await world.agent(agentId)).boundSessions).toHaveLength(5);
    for (const id of await inState('active')) await world.end(id);
    await eventually(async () => expect(await inState('ended')).toHaveLength(20), 30_000);
    for (const { agentId } of hosts) expect((await world.agent(agentId)).boundSessions).toEqual([]);
    expect(hosts.map(({ sessions }) => sessions.length)).toEqual([10, 10]);
  }, 120_000);

  it('a host that refuses or does not answer gives its place back, and the next one is asked', async () => {
    const full = await world.host('a-full');
    full.answer = () => ({ error: { code: 'host_full', message: 'no' } });
    const silent = await world.host('b-silent');
    silent.answer = () => 'silence';
    const willing = await world.host('c-willing');
    const { id } = await world.placed('first');
    expect(await world.active(id)).toMatchObject({ agentId: willing.agentId });
    expect([full.sessions.length, silent.sessions.length, willing.sessions.length]).toEqual([1, 1, 1]);
    for (const { agentId } of [full, silent]) expect((await world.agent(agentId)).boundSessions).toEqual([]);
    // Should it have taken the session after all, it is told to let go of it.
    await eventually(async () => expect(silent.unbinds.map(({ sessionId }) => sessionId)).toEqual([id]));
  });

  it('a refused session is offered again as long as nobody else could take it', async () => {
    const shy = await world.host('shy');
    let refusals = 0;
    shy.answer = () => (++refusals < 2 ? { error: { code: 'host_full', message: 'no' } } : { bound: true });
    const { id } = await world.placed();
    await world.waiting(id, /refused/);
    await world.active(id);
  });

  it('no host: the session says why, and is placed when one comes, is enabled, or gets a free place', async () => {
    const { id } = await world.placed();
    await world.waiting(id, /labels test=/);
    const credentials = await world.identity('late', { acceptsSessions: false });
    await world.waiting(id, /supports 'javascript'/);
    const late = await world.connect(credentials, { capacity: 1 });
    await world.waiting(id, /acceptsSessions/);
    await world.edit(late.agentId, { acceptsSessions: true });
    await world.active(id);
    const next = await world.placed();
    await world.waiting(next.id, /free place: late 1 of 1/);
    await world.end(id);
    await world.active(next.id);
  });

  it('is given back exactly once, also while the host is away, which learns of it by its welcome', async () => {
    const credentials = await world.identity('away', {});
    const first = await world.connect(credentials, { capacity: 1 });
    const { id } = await world.placed();
    await world.active(id);
    first.close();
    await world.end(id);
    await eventually(async () => expect((await world.agent(first.agentId)).boundSessions).toEqual([]));
    await world.api.until(id, 'ended');
    const again = await world.connect(credentials, { capacity: 1 });
    expect(again.welcome?.sessions).toEqual([]);
    await world.active((await world.placed()).id);
    await world.end(id);
    expect((await world.agent(first.agentId)).boundSessions).toHaveLength(1);
  });

  it('the end of a session unbinds it for good, and the agent itself stays', async () => {
    const there = await world.host('there');
    const { id } = await world.placed();
    await world.active(id);
    await world.end(id);
    await world.api.until(id, 'ended');
    await eventually(async () => expect(there.unbinds).toMatchObject([{ sessionId: id, remove: true }]));
    expect(await world.agent(there.agentId)).toMatchObject({ boundSessions: [], connected: true });
    await world.active((await world.placed()).id);
  });

  it('a session nobody takes in time fails with the reason', async () => {
    const impatient = await bootController({ LAUNCH_TIMEOUT_MS: '1500', LAUNCHER: 'external' });
    try {
      const own = new ApiClient(impatient.url);
      const { id, launcher } = await own.session(await own.worker());
      expect(launcher).toBe('external');
      const failed = await own.until(id, 'failed');
      expect(failed.statusReason?.message).toMatch(/No host takes the session: there is no autonomous agent/);
    } finally {
      await impatient.close();
    }
  }, 60_000);
});
