import { systemClock } from '@reins/shared/util';
import { eventually } from '../support/api-client';
import { type ScriptedHost } from '../support/hosts';
import { HostingWorld } from './hosting-world';

jest.setTimeout(60_000);

let world: HostingWorld;

beforeAll(async () => {
  world = await HostingWorld.boot();
}, 60_000);
beforeEach(() => world.nextTest());
afterEach(() => world.closeHosts());
afterAll(() => world.controller.close(), 60_000);

describe('a host that goes', () => {
  it('and is restarted takes its sessions over by the welcome; its turn is interrupted, the next one runs there', async () => {
    const credentials = await world.identity('restarted');
    const before = await world.connect(credentials);
    const { id } = await world.placed();
    await world.active(id);
    const lost = world.api.call('POST', `/sessions/${id}/prompt`, { prompt: 'p' });
    await before.take(id);
    before.close();
    const after = await world.connect(credentials);
    expect(after.welcome?.sessions.map(({ sessionId }) => sessionId)).toEqual([id]);
    expect(await lost).toMatchObject({ status: 409, body: { code: 'turn_interrupted' } });
    const next = world.api.prompt(id, 'q');
    await after.finish(await after.take(id), 'here again');
    expect((await next).response).toBe('here again');
  });

  it('for long: the turn is interrupted, the session stays with it and goes on when it is back', async () => {
    const credentials = await world.identity('gone');
    const other = await world.host('other', { capacity: 0 });
    const before = await world.connect(credentials);
    const { id } = await world.placed();
    await world.active(id);
    const lost = world.api.call('POST', `/sessions/${id}/prompt`, { prompt: 'p' });
    await before.take(id);
    before.close();
    await eventually(async () => expect(await world.api.get(id)).toMatchObject({ phase: 'reconnecting' }));
    expect(await lost).toMatchObject({ status: 409, body: { code: 'turn_interrupted' } });
    expect(await world.api.get(id)).toMatchObject({ status: 'active', agentId: credentials.agentId });
    const queued = world.api.prompt(id, 'q');
    const after = await world.connect(credentials);
    await after.finish(await after.take(id), 'back');
    expect((await queued).response).toBe('back');
    expect(other.sessions).toEqual([]);
  });

  it('is back on the same process: the session is ready again', async () => {
    const credentials = await world.identity('blip');
    const there = await world.connect(credentials, { incarnation: 'inc-blip' });
    const { id } = await world.placed();
    await world.active(id);
    there.close();
    await eventually(async () => expect(await world.api.get(id)).toMatchObject({ phase: 'reconnecting' }));
    await world.connect(credentials, { incarnation: 'inc-blip' });
    await eventually(async () => expect(await world.api.get(id)).toMatchObject({ phase: 'ready' }));
  });

  it('suspended: its sessions are suspended with the reason, and go on there at the next prompt when it is back', async () => {
    const credentials = await world.identity('suspended');
    const before = await world.connect(credentials);
    const { id } = await world.placed();
    await world.active(id);
    const lost = world.api.call('POST', `/sessions/${id}/prompt`, { prompt: 'p' });
    await before.take(id);
    await world.edit(before.agentId, { status: 'suspended' });
    const suspended = await world.api.until(id, 'suspended');
    expect(suspended.statusReason).toMatchObject({ code: 'host_suspended' });
    expect(await lost).toMatchObject({ status: 409, body: { code: 'turn_interrupted' } });
    expect((await world.agent(before.agentId)).boundSessions).toEqual([]);

    const other = await world.host('other');
    const next = world.api.prompt(id, 'q');
    await world.waiting(id, /active: suspended suspended/);
    await world.edit(before.agentId, { status: 'active' });
    const after = await world.connect(credentials);
    await after.finish(await after.take(id), 'goes on');
    expect((await next).response).toBe('goes on');
    expect(other.sessions).toEqual([]);
  });

  it('suspended before its session was ready: the session fails with the reason', async () => {
    const there = await world.host('slow');
    there.saysReady = false;
    const { id } = await world.placed();
    await eventually(async () => expect(there.sessions).toEqual([id]));
    await world.edit(there.agentId, { status: 'suspended' });
    expect((await world.api.until(id, 'failed')).statusReason).toMatchObject({ code: 'host_suspended' });
  });

  it('deleted: active and suspended sessions fail with a clear message', async () => {
    const there = await world.host('deleted');
    const { id } = await world.placed();
    await world.active(id);
    await world.api.must('DELETE', `/agents/${there.agentId}`);
    const failed = await world.api.until(id, 'failed');
    expect(failed.statusReason).toMatchObject({ code: 'host_deleted' });
    expect(failed.statusReason?.message).toMatch(/deleted/);
    await world.end(id);
    await world.api.until(id, 'ended');
  });

  it('with new credentials keeps its sessions and serves them again when it is back', async () => {
    const credentials = await world.identity('rotated');
    const before = await world.connect(credentials);
    const { id } = await world.placed();
    await world.active(id);
    const { secret } = await world.api.must<{ secret: string }>(
      'POST',
      `/agents/${before.agentId}/credentials/regenerate`,
    );
    await eventually(async () => expect(before.byes).toEqual(['revoked']));
    expect(await world.api.get(id)).toMatchObject({ status: 'active' });
    const after = await world.connect({ agentId: credentials.agentId, secret });
    expect(after.welcome?.sessions.map(({ sessionId }) => sessionId)).toEqual([id]);
  });

  it('disabled keeps its sessions and gets no new ones', async () => {
    const there = await world.host('disabled');
    const { id } = await world.placed();
    await world.active(id);
    expect(await world.edit(there.agentId, { acceptsSessions: false })).toMatchObject({ acceptsSessions: false });
    const next = await world.placed();
    await world.waiting(next.id, /acceptsSessions/);
    const answer = world.api.prompt(id, 'still here');
    await there.finish(await there.take(id), 'yes');
    expect((await answer).response).toBe('yes');
    await world.end(next.id);
  });

  it('and cannot make the workspace: the session fails with its words, the place is free, the host lives', async () => {
    const there = await world.host('broken', { capacity: 1 });
    there.saysReady = false;
    const { id } = await world.placed();
    await eventually(async () => expect(there.sessions).toEqual([id]));
    await there.harness.call('session.failed', { sessionId: id, message: 'the clone was refused' });
    const failed = await world.api.until(id, 'failed');
    expect(failed.statusReason).toMatchObject({ code: 'bootstrap_failed', message: 'the clone was refused' });
    expect((await world.agent(there.agentId)).boundSessions).toEqual([]);
    there.saysReady = true;
    await world.active((await world.placed()).id);
  });
});

describe('the definition of a bound session', () => {
  it('is its worker’s and no other’s, and an edit reaches it within a second by a second bind', async () => {
    const there = await world.host('there');
    const make = (agentMd: string): Promise<string> =>
      world.api.worker('javascript', { agentMd, mcpServers: [{ name: 'files', url: `https://mcp.test/${agentMd}` }] });
    const workers = [await make('one'), await make('two')];
    const sessions = await Promise.all(
      workers.map((id) => world.api.session(id, { placement: { mode: 'first', labels: world.labels } })),
    );
    await Promise.all(sessions.map(({ id }) => world.active(id)));
    const [first, second] = sessions.map(({ id }) => there.binds.filter((bound) => bound.id === id));
    expect(first).toMatchObject([{ instruction: 'one', mcpServers: { files: { url: 'https://mcp.test/one' } } }]);
    expect(second).toMatchObject([{ instruction: 'two', workerId: workers[1] }]);

    there.saysReady = false;
    const count = there.binds.length;
    await world.api.must('PUT', `/admin/workers/${workers[0]}`, { agentMd: 'edited' });
    await eventually(async () => expect(there.binds).toHaveLength(count + 1), 1000);
    expect(there.binds.at(-1)).toMatchObject({ id: sessions[0]?.id, instruction: 'edited' });
    await world.api.must('PUT', '/admin/system-instructions', { content: 'be kind' });
    await eventually(async () => expect(there.binds.length).toBeGreaterThanOrEqual(count + 3), 1000);
    const last = there.binds.slice(count + 1);
    expect(last.find(({ id }) => id === sessions[0]?.id)?.instruction).toBe('be kind\n\nedited');
    expect(last.find(({ id }) => id === sessions[1]?.id)?.instruction).toBe('be kind\n\ntwo');
    await world.api.must('PUT', '/admin/system-instructions', { content: '' });
  });

  it('that is not confirmed makes the host say hello anew, and its welcome has it', async () => {
    const credentials = await world.identity('deaf');
    const there = await world.connect(credentials);
    const own = await world.api.worker('javascript', {
      agentMd: 'old',
      placement: { mode: 'first', labels: world.labels },
    });
    const { id } = await world.api.session(own);
    await world.active(id);
    there.answer = () => 'silence';
    await world.api.must('PUT', `/admin/workers/${own}`, { agentMd: 'new' });
    await eventually(async () => expect(there.byes).toEqual(['reauth']));
    const again = await world.connect(credentials);
    expect(again.welcome?.sessions[0]?.session).toMatchObject({ id, instruction: 'new' });
  });

  it('with an instruction above 64 KiB is fetched by its agent, and by no other', async () => {
    const there = await world.host('there');
    const stranger = await world.host('stranger', { supportedTypes: ['codex'] });
    const agentMd = 'long '.repeat(20_000);
    const own = await world.api.worker('javascript', { agentMd, placement: { mode: 'first', labels: world.labels } });
    const { id } = await world.api.session(own);
    await world.active(id);
    const bound = there.binds[0];
    expect(bound?.instruction).toBeUndefined();
    const read = (by: ScriptedHost): Promise<Response> =>
      fetch(`${world.controller.url}${bound?.instructionUrl}`, {
        headers: { Authorization: `Bearer ${by.harness.configuration.token}` },
      });
    expect(await (await read(there)).text()).toBe(agentMd);
    expect((await read(stranger)).status).toBe(404);
  });
});

describe('a capability that a harness requires', () => {
  it('and the controller does not know ends the link with bye unsupported; a known one is fine', async () => {
    const there = await world.host('there');
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
    const a = await world.host('a', { supportedTypes: ['codex'] });
    const b = await world.host('b');
    const { id } = await world.placed();
    await world.active(id);
    const answer = world.api.prompt(id, 'secret');
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
    const put = await fetch(`${world.controller.url}/sessions/${id}/blobs`, {
      method: 'PUT',
      headers: { Authorization: `Bearer ${a.harness.configuration.token}`, 'Content-Type': 'text/plain' },
      body: 'x',
    });
    expect([403, 404]).toContain(put.status);
    await b.finish(turn, 'untouched');
    expect((await answer).response).toBe('untouched');
    await systemClock.sleep(50);
    expect(await world.api.get(id)).toMatchObject({ status: 'active', agentId: b.agentId });
  });
});
