import { type AgentView } from '@reins/shared/api/agents';
import { type SessionView } from '@reins/shared/api/sessions';
import { systemClock } from '@reins/shared/util';
import { ApiClient, eventually } from '../support/api-client';
import { bootController, type TestController } from '../support/controller';
import { type HostFacts, newHost, ScriptedHost } from '../support/hosts';
import { type Credentials } from '../support/scripted-harness';

jest.setTimeout(60_000);

let controller: TestController;
let api: ApiClient;
let workerId: string;
let tests = 0;
/** Hosts of one test are told from those of the others by this label. */
let labels: Record<string, string>;
const open: ScriptedHost[] = [];

beforeAll(async () => {
  controller = await bootController({
    HEARTBEAT_MS: '300',
    LEASE_MS: '1500',
    LOST_AFTER_MS: '2500',
    SESSION_END_TIMEOUT_MS: '1000',
    LAUNCH_TIMEOUT_MS: '60000',
  });
  api = new ApiClient(controller.url);
  workerId = await api.worker();
}, 60_000);

beforeEach(() => {
  labels = { test: `t${++tests}` };
});

afterEach(() => {
  for (const host of open.splice(0)) host.close();
});

afterAll(() => controller.close(), 60_000);

const identity = (name: string, more: object = {}): Promise<Credentials> => newHost(api, name, { labels, ...more });

async function connect(credentials: Credentials, facts: HostFacts = {}): Promise<ScriptedHost> {
  const host = await ScriptedHost.connect(controller.url, credentials, facts);
  open.push(host);
  return host;
}

const host = async (name: string, facts: HostFacts = {}): Promise<ScriptedHost> => connect(await identity(name), facts);

const placed = (mode = 'min_load', more: object = {}): Promise<SessionView> =>
  api.session(workerId, { placement: { mode, labels }, ...more });

const refused = async (body: object): Promise<{ status: number; body: Record<string, unknown> }> =>
  api.call('POST', '/sessions', { workerId, ...body });

const agent = (id: string): Promise<AgentView> => api.must<AgentView>('GET', `/agents/${id}`);

const edit = (id: string, change: object): Promise<AgentView> => api.must<AgentView>('PUT', `/agents/${id}`, change);

const active = (sessionId: string): Promise<SessionView> => api.until(sessionId, 'active');

const end = (sessionId: string): Promise<unknown> => api.must('DELETE', `/sessions/${sessionId}`);

const waiting = (sessionId: string, words: RegExp): Promise<SessionView> =>
  eventually(async () => {
    const session = await api.get(sessionId);
    expect(session.statusReason).toMatchObject({ code: 'no_host' });
    expect(session.statusReason?.message).toMatch(words);
    return session;
  });

describe('placement', () => {
  it.each([
    ['first', 0],
    ['last', 2],
    ['select:min:temperature', 1],
    ['select:max:temperature', 2],
    ['select:first_success:gpu', 1],
  ])('%s gives the session to the host it names', async (mode, expected) => {
    const hosts = [
      await host('a', { metrics: { temperature: 50, gpu: false } }),
      await host('b', { metrics: { temperature: 20, gpu: true } }),
      await host('c', { metrics: { temperature: 90, gpu: true } }),
    ];
    const { id } = await placed(mode);
    const session = await active(id);
    expect(session).toMatchObject({ launcher: 'external', agentId: hosts[expected]?.agentId, phase: 'ready' });
    expect(hosts.map(({ sessions }) => sessions.length)).toEqual(
      [0, 1, 2].map((index) => (index === expected ? 1 : 0)),
    );
    expect((await agent(session.agentId ?? '')).boundSessions).toEqual([id]);
  });

  it('min_load spreads sessions by the share of places that are taken', async () => {
    const small = await host('small', { capacity: 2 });
    const large = await host('large', { capacity: 6 });
    for (let i = 0; i < 4; i++) await active((await placed()).id);
    expect([small.sessions.length, large.sessions.length]).toEqual([1, 3]);
  });

  it('random uses every host', async () => {
    const hosts = [await host('a', { capacity: 30 }), await host('b', { capacity: 30 })];
    await Promise.all(Array.from({ length: 16 }, async () => active((await placed('random')).id)));
    for (const { sessions } of hosts) expect(sessions.length).toBeGreaterThan(0);
  });

  it('exact takes the only one, and names the candidates where there are more', async () => {
    const only = await host('only');
    expect(await active((await placed('exact')).id)).toMatchObject({ agentId: only.agentId });
    const other = await host('other');
    const answer = await refused({ placement: { mode: 'exact', labels } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'placement_ambiguous' } });
    expect(JSON.stringify(answer.body)).toContain(only.agentId);
    expect(JSON.stringify(answer.body)).toContain(other.agentId);
  });

  it('a bad mode is refused with the list of modes', async () => {
    const answers = [
      await refused({ placement: { mode: 'fastest' } }),
      await refused({ selectionMode: 'select:avg:cpu' }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(400);
      expect(JSON.stringify(answer.body)).toMatch(/random, first, last, exact, min_load, select:min:<metric>/);
    }
  });

  it('a worker says where its sessions run, and the controller needs no word from the caller', async () => {
    const there = await host('there');
    const own = await api.worker('javascript', { placement: { mode: 'first', labels } });
    const { id, placement } = await api.session(own);
    expect(placement).toEqual({ mode: 'first', labels });
    expect(await active(id)).toMatchObject({ agentId: there.agentId, launcher: 'external' });
  });

  it('only active, enabled, connected hosts of the kind with the labels are given sessions', async () => {
    await connect(await identity('disabled', { acceptsSessions: false }));
    await connect(await identity('inactive', { status: 'inactive' }));
    await identity('never connected');
    await host('another kind', { supportedTypes: ['codex'] });
    await host('no place', { capacity: 0 });
    const chosen = await host('chosen');
    for (let i = 0; i < 3; i++)
      expect(await active((await placed('random')).id)).toMatchObject({ agentId: chosen.agentId });
  });
});

describe('a session pinned to an agent', () => {
  it('runs there, whatever others could', async () => {
    await host('other');
    const mine = await host('mine');
    const { id } = await api.session(workerId, { agentId: mine.agentId });
    expect(await active(id)).toMatchObject({ agentId: mine.agentId, placement: null });
    const answer = api.prompt(id, 'hello');
    const turn = await mine.take(id);
    await mine.finish(turn, 'from the host');
    expect((await answer).response).toBe('from the host');
  });

  it('waits for its agent, not for another', async () => {
    const credentials = await identity('away');
    const other = await host('other');
    const { id } = await api.session(workerId, { agentId: credentials.agentId });
    await waiting(id, /away/);
    await connect(credentials);
    expect(await active(id)).toMatchObject({ agentId: credentials.agentId });
    expect(other.sessions).toEqual([]);
  });

  it('is refused, in words, where that agent can never take it', async () => {
    const managed = await api.must<AgentView>('POST', '/agents', { name: 'm', description: 'd', status: 'active' });
    const codex = await host('codex', { supportedTypes: ['codex', 'gemini'] });
    const disabled = await connect(await identity('disabled', { acceptsSessions: false }));
    const suspended = await identity('suspended', { status: 'suspended' });
    const cases: [string, number, string, RegExp][] = [
      ['0123456789abcdef01234567', 404, 'agent_not_found', /0123456789abcdef01234567 not found/],
      [managed._id, 400, 'agent_unsuitable', /managed/],
      [codex.agentId, 400, 'agent_unsuitable', /does not support 'javascript'. Supported types: \[codex, gemini\]/],
      [disabled.agentId, 400, 'agent_unsuitable', /acceptsSessions is false/],
      [suspended.agentId, 400, 'agent_unsuitable', /suspended/],
    ];
    for (const [agentId, status, code, words] of cases) {
      const answer = await refused({ agentId });
      expect(answer).toMatchObject({ status, body: { code } });
      expect(JSON.stringify(answer.body)).toMatch(words);
    }
    const both = await refused({ agentId: codex.agentId, selectionMode: 'first' });
    expect(both).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
  });
});

describe('places', () => {
  it('20 sessions at once on 2 hosts of 5 places: 10 are bound, 10 wait, and move on as others end', async () => {
    const hosts = [await host('a', { capacity: 5 }), await host('b', { capacity: 5 })];
    const made = await Promise.all(Array.from({ length: 20 }, () => placed()));
    const ids = made.map(({ id }) => id);
    const inState = async (status: string): Promise<string[]> => {
      const all = await Promise.all(ids.map((id) => api.get(id)));
      return all.filter((session) => session.status === status).map(({ id }) => id);
    };
    await eventually(async () => expect(await inState('active')).toHaveLength(10), 30_000);
    const left = await inState('pending');
    expect(left).toHaveLength(10);
    for (const id of left) await waiting(id, /free place: (a 5 of 5, b 5 of 5|b 5 of 5, a 5 of 5)/);
    // Long enough for the watch to look several times: nobody gets a place that is not there.
    await systemClock.sleep(3_000);
    expect(await inState('active')).toHaveLength(10);
    for (const { agentId } of hosts) expect((await agent(agentId)).boundSessions).toHaveLength(5);

    for (const id of await inState('active')) await end(id);
    await eventually(async () => expect(await inState('active')).toHaveLength(10), 30_000);
    for (const { agentId } of hosts) expect((await agent(agentId)).boundSessions).toHaveLength(5);
    for (const id of await inState('active')) await end(id);
    await eventually(async () => expect(await inState('ended')).toHaveLength(20), 30_000);
    for (const { agentId } of hosts) expect((await agent(agentId)).boundSessions).toEqual([]);
    expect(hosts.map(({ sessions }) => sessions.length)).toEqual([10, 10]);
  }, 120_000);

  it('a host that refuses or does not answer gives its place back, and the next one is asked', async () => {
    const full = await host('a-full');
    full.answer = () => ({ error: { code: 'host_full', message: 'no' } });
    const silent = await host('b-silent');
    silent.answer = () => 'silence';
    const willing = await host('c-willing');
    const { id } = await placed('first');
    expect(await active(id)).toMatchObject({ agentId: willing.agentId });
    expect([full.sessions.length, silent.sessions.length, willing.sessions.length]).toEqual([1, 1, 1]);
    for (const { agentId } of [full, silent]) expect((await agent(agentId)).boundSessions).toEqual([]);
    // Should it have taken the session after all, it is told to let go of it.
    await eventually(async () => expect(silent.unbinds.map(({ sessionId }) => sessionId)).toEqual([id]));
  });

  it('a refused session is offered again as long as nobody else could take it', async () => {
    const shy = await host('shy');
    let refusals = 0;
    shy.answer = () => (++refusals < 2 ? { error: { code: 'host_full', message: 'no' } } : { bound: true });
    const { id } = await placed();
    await waiting(id, /refused/);
    await active(id);
  });

  it('no host: the session says why, and is placed when one comes, is enabled, or gets a free place', async () => {
    const { id } = await placed();
    await waiting(id, /labels test=/);
    const credentials = await identity('late', { acceptsSessions: false });
    await waiting(id, /supports 'javascript'/);
    const late = await connect(credentials, { capacity: 1 });
    await waiting(id, /acceptsSessions/);
    await edit(late.agentId, { acceptsSessions: true });
    await active(id);
    const next = await placed();
    await waiting(next.id, /free place: late 1 of 1/);
    await end(id);
    await active(next.id);
  });

  it('is given back exactly once, also while the host is away, which learns of it by its welcome', async () => {
    const credentials = await identity('away', {});
    const first = await connect(credentials, { capacity: 1 });
    const { id } = await placed();
    await active(id);
    first.close();
    await end(id);
    await eventually(async () => expect((await agent(first.agentId)).boundSessions).toEqual([]));
    await api.until(id, 'ended');
    const again = await connect(credentials, { capacity: 1 });
    expect(again.welcome?.sessions).toEqual([]);
    await active((await placed()).id);
    await end(id);
    expect((await agent(first.agentId)).boundSessions).toHaveLength(1);
  });

  it('the end of a session unbinds it for good, and the agent itself stays', async () => {
    const there = await host('there');
    const { id } = await placed();
    await active(id);
    await end(id);
    await api.until(id, 'ended');
    await eventually(async () => expect(there.unbinds).toMatchObject([{ sessionId: id, remove: true }]));
    expect(await agent(there.agentId)).toMatchObject({ boundSessions: [], connected: true });
    await active((await placed()).id);
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

describe('a host that goes', () => {
  it('and is restarted takes its sessions over by the welcome; its turn is interrupted, the next one runs there', async () => {
    const credentials = await identity('restarted');
    const before = await connect(credentials);
    const { id } = await placed();
    await active(id);
    const lost = api.call('POST', `/sessions/${id}/prompt`, { prompt: 'p' });
    await before.take(id);
    before.close();
    const after = await connect(credentials);
    expect(after.welcome?.sessions.map(({ sessionId }) => sessionId)).toEqual([id]);
    expect(await lost).toMatchObject({ status: 409, body: { code: 'turn_interrupted' } });
    const next = api.prompt(id, 'q');
    await after.finish(await after.take(id), 'here again');
    expect((await next).response).toBe('here again');
  });

  it('for long: the turn is interrupted, the session stays with it and goes on when it is back', async () => {
    const credentials = await identity('gone');
    const other = await host('other', { capacity: 0 });
    const before = await connect(credentials);
    const { id } = await placed();
    await active(id);
    const lost = api.call('POST', `/sessions/${id}/prompt`, { prompt: 'p' });
    await before.take(id);
    before.close();
    await eventually(async () => expect(await api.get(id)).toMatchObject({ phase: 'reconnecting' }));
    expect(await lost).toMatchObject({ status: 409, body: { code: 'turn_interrupted' } });
    expect(await api.get(id)).toMatchObject({ status: 'active', agentId: credentials.agentId });
    const queued = api.prompt(id, 'q');
    const after = await connect(credentials);
    await after.finish(await after.take(id), 'back');
    expect((await queued).response).toBe('back');
    expect(other.sessions).toEqual([]);
  });

  it('is back on the same process: the session is ready again', async () => {
    const credentials = await identity('blip');
    const there = await connect(credentials, { incarnation: 'inc-blip' });
    const { id } = await placed();
    await active(id);
    there.close();
    await eventually(async () => expect(await api.get(id)).toMatchObject({ phase: 'reconnecting' }));
    const again = await ScriptedHost.connect(controller.url, credentials, { incarnation: 'inc-blip' });
    open.push(again);
    await eventually(async () => expect(await api.get(id)).toMatchObject({ phase: 'ready' }));
  });

  it('suspended: its sessions are suspended with the reason, and go on there at the next prompt when it is back', async () => {
    const credentials = await identity('suspended');
    const before = await connect(credentials);
    const { id } = await placed();
    await active(id);
    const lost = api.call('POST', `/sessions/${id}/prompt`, { prompt: 'p' });
    await before.take(id);
    await edit(before.agentId, { status: 'suspended' });
    const suspended = await api.until(id, 'suspended');
    expect(suspended.statusReason).toMatchObject({ code: 'host_suspended' });
    expect(await lost).toMatchObject({ status: 409, body: { code: 'turn_interrupted' } });
    expect((await agent(before.agentId)).boundSessions).toEqual([]);

    const other = await host('other');
    const next = api.prompt(id, 'q');
    await waiting(id, /active: suspended suspended/);
    await edit(before.agentId, { status: 'active' });
    const after = await connect(credentials);
    await after.finish(await after.take(id), 'goes on');
    expect((await next).response).toBe('goes on');
    expect(other.sessions).toEqual([]);
  });

  it('suspended before its session was ready: the session fails with the reason', async () => {
    const there = await host('slow');
    there.saysReady = false;
    const { id } = await placed();
    await eventually(async () => expect(there.sessions).toEqual([id]));
    await edit(there.agentId, { status: 'suspended' });
    expect((await api.until(id, 'failed')).statusReason).toMatchObject({ code: 'host_suspended' });
  });

  it('deleted: active and suspended sessions fail with a clear message', async () => {
    const there = await host('deleted');
    const { id } = await placed();
    await active(id);
    await api.must('DELETE', `/agents/${there.agentId}`);
    const failed = await api.until(id, 'failed');
    expect(failed.statusReason).toMatchObject({ code: 'host_deleted' });
    expect(failed.statusReason?.message).toMatch(/deleted/);
    await end(id);
    await api.until(id, 'ended');
  });

  it('with new credentials keeps its sessions and serves them again when it is back', async () => {
    const credentials = await identity('rotated');
    const before = await connect(credentials);
    const { id } = await placed();
    await active(id);
    const { secret } = await api.must<{ secret: string }>('POST', `/agents/${before.agentId}/credentials/regenerate`);
    await eventually(async () => expect(before.byes).toEqual(['revoked']));
    expect(await api.get(id)).toMatchObject({ status: 'active' });
    const after = await connect({ agentId: credentials.agentId, secret });
    expect(after.welcome?.sessions.map(({ sessionId }) => sessionId)).toEqual([id]);
  });

  it('disabled keeps its sessions and gets no new ones', async () => {
    const there = await host('disabled');
    const { id } = await placed();
    await active(id);
    expect(await edit(there.agentId, { acceptsSessions: false })).toMatchObject({ acceptsSessions: false });
    const next = await placed();
    await waiting(next.id, /acceptsSessions/);
    const answer = api.prompt(id, 'still here');
    await there.finish(await there.take(id), 'yes');
    expect((await answer).response).toBe('yes');
    await end(next.id);
  });

  it('and cannot make the workspace: the session fails with its words, the place is free, the host lives', async () => {
    const there = await host('broken', { capacity: 1 });
    there.saysReady = false;
    const { id } = await placed();
    await eventually(async () => expect(there.sessions).toEqual([id]));
    await there.harness.call('session.failed', { sessionId: id, message: 'the clone was refused' });
    const failed = await api.until(id, 'failed');
    expect(failed.statusReason).toMatchObject({ code: 'bootstrap_failed', message: 'the clone was refused' });
    expect((await agent(there.agentId)).boundSessions).toEqual([]);
    there.saysReady = true;
    await active((await placed()).id);
  });
});

describe('the definition of a bound session', () => {
  it('is its worker’s and no other’s, and an edit reaches it within a second by a second bind', async () => {
    const there = await host('there');
    const make = (agentMd: string): Promise<string> =>
      api.worker('javascript', { agentMd, mcpServers: [{ name: 'files', url: `https://mcp.test/${agentMd}` }] });
    const workers = [await make('one'), await make('two')];
    const sessions = await Promise.all(workers.map((id) => api.session(id, { placement: { mode: 'first', labels } })));
    await Promise.all(sessions.map(({ id }) => active(id)));
    const [first, second] = sessions.map(({ id }) => there.binds.filter((bound) => bound.id === id));
    expect(first).toMatchObject([{ instruction: 'one', mcpServers: { files: { url: 'https://mcp.test/one' } } }]);
    expect(second).toMatchObject([{ instruction: 'two', workerId: workers[1] }]);

    there.saysReady = false;
    const count = there.binds.length;
    await api.must('PUT', `/admin/workers/${workers[0]}`, { agentMd: 'edited' });
    await eventually(async () => expect(there.binds).toHaveLength(count + 1), 1000);
    expect(there.binds.at(-1)).toMatchObject({ id: sessions[0]?.id, instruction: 'edited' });
    await api.must('PUT', '/admin/system-instructions', { content: 'be kind' });
    await eventually(async () => expect(there.binds.length).toBeGreaterThanOrEqual(count + 3), 1000);
    const last = there.binds.slice(count + 1);
    expect(last.find(({ id }) => id === sessions[0]?.id)?.instruction).toBe('be kind\n\nedited');
    expect(last.find(({ id }) => id === sessions[1]?.id)?.instruction).toBe('be kind\n\ntwo');
    await api.must('PUT', '/admin/system-instructions', { content: '' });
  });

  it('that is not confirmed makes the host say hello anew, and its welcome has it', async () => {
    const credentials = await identity('deaf');
    const there = await connect(credentials);
    const own = await api.worker('javascript', { agentMd: 'old', placement: { mode: 'first', labels } });
    const { id } = await api.session(own);
    await active(id);
    there.answer = () => 'silence';
    await api.must('PUT', `/admin/workers/${own}`, { agentMd: 'new' });
    await eventually(async () => expect(there.byes).toEqual(['reauth']));
    const again = await connect(credentials);
    expect(again.welcome?.sessions[0]?.session).toMatchObject({ id, instruction: 'new' });
  });

  it('with an instruction above 64 KiB is fetched by its agent, and by no other', async () => {
    const there = await host('there');
    const stranger = await host('stranger', { supportedTypes: ['codex'] });
    const agentMd = 'long '.repeat(20_000);
    const own = await api.worker('javascript', { agentMd, placement: { mode: 'first', labels } });
    const { id } = await api.session(own);
    await active(id);
    const bound = there.binds[0];
    expect(bound?.instruction).toBeUndefined();
    const read = (by: ScriptedHost): Promise<Response> =>
      fetch(`${controller.url}${bound?.instructionUrl}`, {
        headers: { Authorization: `Bearer ${by.harness.configuration.token}` },
      });
    expect(await (await read(there)).text()).toBe(agentMd);
    expect((await read(stranger)).status).toBe(404);
  });
});

describe('a capability that a harness requires', () => {
  it('and the controller does not know ends the link with bye unsupported; a known one is fine', async () => {
    const there = await host('there');
    const hello = (requires: string[]): Promise<object> =>
      there.harness.call('hello', {
        bootAt: new Date().toISOString(),
        harness: { version: '0.0.0', capabilities: [], requires },
        slots: 0,
        sessions: [],
      });
    expect(await hello(['bind', 'resume'])).toMatchObject({ resume: 'ok' });
    const refused = hello(['telepathy']).catch(() => undefined);
    await eventually(async () => expect(there.byes).toEqual(['unsupported']));
    await eventually(async () => expect(there.harness.socket.connected).toBe(false));
    await refused;
  });
});

describe('access', () => {
  it('the token of agent A cannot touch sessions of agent B', async () => {
    const a = await host('a', { supportedTypes: ['codex'] });
    const b = await host('b');
    const { id } = await placed();
    await active(id);
    const answer = api.prompt(id, 'secret');
    const turn = await b.take(id);

    const about = a.harness.about(turn);
    expect(await a.harness.call('turn.pull', { sessions: [id], slots: 1 })).toMatchObject({ none: true });
    for (const attempt of [
      () => a.harness.call('ready', { sessionId: id, timings: {} }),
      () => a.harness.call('session.failed', { sessionId: id, message: 'mine' }),
      () => a.harness.call('turn.started', about),
      () => a.harness.call('turn.lost', about),
      () => a.harness.call('commands.pull', { sessionId: id, after: { main: 0, abort: 0 } }),
      () => a.harness.call('events', { sessionId: id, from: 1, items: [{ n: 1, at: 'now', type: 'text', data: {} }] }),
    ]) {
      expect(await attempt()).toMatchObject({ error: { code: 'session_not_found' } });
    }
    const put = await fetch(`${controller.url}/sessions/${id}/blobs`, {
      method: 'PUT',
      headers: { Authorization: `Bearer ${a.harness.configuration.token}`, 'Content-Type': 'text/plain' },
      body: 'x',
    });
    expect([403, 404]).toContain(put.status);
    await b.finish(turn, 'untouched');
    expect((await answer).response).toBe('untouched');
    await systemClock.sleep(50);
    expect(await api.get(id)).toMatchObject({ status: 'active', agentId: b.agentId });
  });
});
