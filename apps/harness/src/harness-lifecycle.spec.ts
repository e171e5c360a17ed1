import { SECRET, SILENCE } from './link/testing/scripted-peer';
import { echo, endScenes, scene, untilAborted } from './testing/scene';

afterEach(endScenes);

describe('commands', () => {
  const abort = (n: number, turnId: string) => ({
    type: 'abort' as const,
    sessionId: 'sess-1',
    lane: 'abort' as const,
    n,
    body: { turnId, reason: 'user' },
  });

  it('abort stops a turn softly, is acked once applied and survives its repetition', async () => {
    const { peer, killed } = await scene(async (_prompt, sink, signal) => {
      await sink.emit('text', { text: 'a' });
      await untilAborted(signal);
      return { status: 'cancelled', stopReason: 'aborted' };
    });
    peer.turn('req-1');
    await peer.until('output', () => peer.eventsOf().length === 1);
    await peer.socket.timeout(2000).emitWithAck('command', abort(1, 'req-1'));
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(peer.terminal('req-1')).toMatchObject({ status: 'cancelled', stopReason: 'aborted' });
    await peer.until('the ack', () => peer.bodies('command.ack').length === 1);
    await peer.socket.timeout(2000).emitWithAck('command', abort(1, 'req-1'));
    await peer.until('the second ack', () => peer.bodies('command.ack').length === 2);
    expect(killed).toEqual([]);
  });

  it('abort kills an agent that does not stop when asked', async () => {
    const { peer, killed } = await scene(async (_prompt, sink) => {
      await sink.emit('text', { text: 'a' });
      return new Promise(() => undefined);
    });
    peer.turn('req-1');
    await peer.until('output', () => peer.eventsOf().length === 1);
    await peer.socket.timeout(2000).emitWithAck('command', abort(1, 'req-1'));
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(peer.terminal('req-1')).toMatchObject({ status: 'cancelled', stopReason: 'aborted' });
    expect(killed).toEqual(['main']);
    peer.turn('req-2');
    await peer.until('the next turn works', () => peer.eventsOf().some(({ turnId }) => turnId === 'req-2'));
  });

  it('a gap is pulled, and what a heartbeat carries is applied too', async () => {
    const { peer } = await scene();
    await peer.until('connected', () => peer.bodies('turn.pull').length === 1);
    peer.script('commands.pull', () => ({ commands: [abort(1, 'x'), abort(2, 'y')] }));
    await peer.socket.timeout(2000).emitWithAck('command', abort(2, 'y'));
    await peer.until('both acks', () => peer.bodies('command.ack').length >= 2);
    expect(peer.bodies('command.ack').map(({ n }) => n)).toEqual([1, 2]);
    peer.script('heartbeat', () => ({ leases: [], credit: 1000, commands: [abort(3, 'z')], configVersion: 'v1' }));
    await peer.until('the third ack', () => peer.bodies('command.ack').length >= 3);
    await peer.until('its cursor', () => peer.bodies('heartbeat').at(-1)?.lastCommand['sess-1']?.abort === 3);
  });

  it('a lost command.ack is said again', async () => {
    const { peer } = await scene();
    await peer.until('connected', () => peer.bodies('turn.pull').length === 1);
    peer.script('command.ack', (_body, socket) => {
      socket.disconnect(true);
      return SILENCE;
    });
    await peer.socket.timeout(2000).emitWithAck('command', abort(1, 'x'));
    await peer.until('the second ack', () => peer.bodies('command.ack').length === 2);
  });

  it('end stops the turns, answers with its commits, and bye lets the process go', async () => {
    const { peer, exit } = await scene(async (_prompt, _sink, signal) => {
      await untilAborted(signal);
      return { status: 'cancelled', stopReason: 'aborted' };
    });
    peer.turn('req-1');
    await peer.until('the start', () => peer.bodies('turn.started').length > 0);
    const end = { type: 'end', sessionId: 'sess-1', lane: 'main', n: 1, body: { deadlineMs: 10_000 } };
    await peer.socket.timeout(2000).emitWithAck('command', end);
    await peer.until('the ack', () => peer.bodies('command.ack').length === 1);
    expect(peer.bodies('command.ack')[0]).toMatchObject({ lane: 'main', n: 1, ok: true, result: { commits: [] } });
    expect(peer.terminal('req-1')).toMatchObject({ status: 'cancelled' });
    peer.socket.emit('bye', { reason: 'ended' });
    await expect(exit).resolves.toEqual({ code: 0 });
  });
});

describe('leaving', () => {
  it.each([
    ['superseded', 0],
    ['ended', 0],
    ['revoked', 1],
    ['unsupported', 1],
  ])('bye %s ends a managed harness with %d', async (reason, code) => {
    const { peer, exit } = await scene();
    await peer.until('connected', () => peer.bodies('turn.pull').length === 1);
    peer.socket.emit('bye', { reason });
    await expect(exit).resolves.toMatchObject({ code });
    expect(peer.connects.length).toBe(1);
  });

  it('bye reauth brings a new token and the same work', async () => {
    const { peer } = await scene();
    await peer.until('connected', () => peer.bodies('turn.pull').length === 1);
    peer.socket.emit('bye', { reason: 'reauth' });
    await peer.until('the second hello', () => peer.bodies('hello').length === 2);
    expect(peer.connects.length).toBe(2);
  });

  it.each([
    [401, 'invalid_credentials', 1],
    [404, 'agent_not_found', 1],
    [409, 'agent_superseded', 1],
  ])('connect answered %d %s ends it with %d, and the message holds no secret', async (status, errorCode, code) => {
    const { exit, lines } = await scene(echo, (peer) =>
      peer.refuseConnect.push({ status, body: { code: errorCode, message: `refused ${SECRET.slice(0, 3)}` } }),
    );
    const ended = await exit;
    expect(ended.code).toBe(code);
    expect(ended.message).toBeDefined();
    expect(`${lines.join('')}${ended.message}`).not.toContain(SECRET);
  });

  it('connect is tried again while the controller is down', async () => {
    const { peer } = await scene(echo, (scripted) =>
      scripted.refuseConnect.push({ status: 503, body: { code: 'draining', message: 'later' } }),
    );
    await peer.until('hello', () => peer.bodies('hello').length === 1);
    expect(peer.connects.length).toBe(2);
  });

  it('SIGTERM lets a running turn finish, then sends everything and goes', async () => {
    const { peer, harness, exit } = await scene(async (_prompt, sink) => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      await sink.emit('text', { text: 'done' });
      return {};
    });
    peer.turn('req-1');
    await peer.until('the start', () => peer.bodies('turn.started').length > 0);
    await harness.stop('SIGTERM');
    await expect(exit).resolves.toEqual({ code: 0 });
    expect(peer.bodies('draining')[0]).toMatchObject({ reason: 'SIGTERM' });
    expect(peer.terminal('req-1')).toMatchObject({ status: 'complete' });
  });

  it('SIGTERM interrupts a turn that does not finish in the drain time', async () => {
    const { peer, harness, exit } = await scene(async (_prompt, _sink, signal) => {
      await untilAborted(signal);
      return { status: 'cancelled', stopReason: 'aborted' };
    });
    peer.turn('req-1');
    await peer.until('the start', () => peer.bodies('turn.started').length > 0);
    await harness.stop('SIGTERM');
    await exit;
    expect(peer.terminal('req-1')).toMatchObject({ status: 'interrupted', stopReason: 'harness_stopped' });
  });

  it('a turn that still comes while it leaves is given back, not begun', async () => {
    const { peer, harness, exit } = await scene(async () => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      return {};
    });
    peer.turn('req-1');
    await peer.until('the start', () => peer.bodies('turn.started').length > 0);
    await peer.until('the next pull', () => peer.bodies('turn.pull').length === 2);
    const stopped = harness.stop('SIGTERM');
    await peer.until('draining', () => peer.bodies('draining').length === 1);
    peer.turn('req-2');
    await peer.until('the return', () => peer.bodies('turn.lost').length === 1);
    await stopped;
    await expect(exit).resolves.toEqual({ code: 0 });
    expect(peer.bodies('turn.lost')[0]).toMatchObject({ turnId: 'req-2', reason: 'the harness is leaving' });
    expect(peer.terminal('req-1')).toMatchObject({ status: 'complete' });
    expect(peer.terminal('req-2')).toBeUndefined();
  });
});
