import { type Script, type ScriptedPeer, SILENCE } from './link/testing/scripted-peer';
import { echo, endScenes, type Play, scene } from './testing/scene';

afterEach(endScenes);

const numbers = (peer: ScriptedPeer): number[] => peer.eventsOf().map(({ n }) => n);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

describe('faults of the link', () => {
  const chatter: Play = async (_prompt, sink) => {
    for (let i = 0; i < 300; i++) {
      await sink.emit('text', { text: `${i} ` });
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return {};
  };
  const said = (peer: ScriptedPeer): string =>
    peer
      .eventsOf()
      .filter(({ type }) => type === 'text')
      .map(({ data }) => data.text)
      .join('');
  const EVERYTHING = upTo(300)
    .map((i) => `${i - 1} `)
    .join('');

  it('a lost ack never appends twice', async () => {
    const { peer } = await scene(chatter);
    peer.script('events', (body, socket) => {
      peer.take(body);
      socket.disconnect(true);
      return SILENCE;
    });
    peer.turn('req-1');
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(said(peer)).toBe(EVERYTHING);
    expect(numbers(peer)).toEqual(upTo(peer.eventsOf().length));
  });

  it('a connection cut again and again in the middle of batches loses nothing and doubles nothing', async () => {
    const { peer } = await scene(chatter);
    let cuts = 0;
    const cut: Script<'events'> = (body, socket) => {
      if (cuts++ % 2 === 0) peer.take(body);
      socket.disconnect(true);
      return SILENCE;
    };
    for (let i = 0; i < 5; i++) peer.script('events', () => undefined, cut);
    peer.turn('req-1');
    await peer.until('the end', () => peer.terminal('req-1') !== undefined, 30_000);
    expect(said(peer)).toBe(EVERYTHING);
    expect(cuts).toBeGreaterThan(2);
    expect(peer.sockets.length).toBe(cuts + 1);
    expect(peer.bodies('hello').at(-1)?.sessions[0]?.turns[0]?.turnId).toBe('req-1');
    expect(peer.faults).toEqual([]);
  }, 40_000);

  it('an expected number rewinds the spool', async () => {
    const { peer } = await scene(chatter);
    peer.script(
      'events',
      () => undefined,
      (body) => ({ expect: body.from - 1 > 0 ? body.from : 1 }),
    );
    peer.turn('req-1');
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(said(peer)).toBe(EVERYTHING);
  });

  it('a frame that is too large is halved and the link lives', async () => {
    const { peer } = await scene(chatter);
    let refused = 0;
    for (let i = 0; i < 20; i++) {
      peer.script('events', ({ items }) => {
        if (items.length === 1) return undefined;
        refused++;
        return { error: { code: 'frame_too_large', message: 'too large' } };
      });
    }
    peer.turn('req-1');
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(said(peer)).toBe(EVERYTHING);
    expect(refused).toBeGreaterThan(0);
    expect(peer.sockets.length).toBe(1);
  });

  it('without credit it sends nothing, joins text, and goes on when there is some', async () => {
    const { peer } = await scene(chatter, (scripted) => (scripted.credit = 0));
    peer.turn('req-1');
    await peer.until('a heartbeat with a queue', () =>
      peer.bodies('heartbeat').some(({ metrics }) => Number(metrics.queueDepth) > 0),
    );
    expect(peer.bodies('events')).toEqual([]);
    peer.credit = 100_000;
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(said(peer)).toBe(EVERYTHING);
    expect(peer.eventsOf().length).toBeLessThan(50);
  });

  it('a turn whose events are fenced is killed and never ended by us', async () => {
    const { peer, killed } = await scene(async (_prompt, sink) => {
      await sink.emit('text', { text: 'a' });
      await new Promise(() => undefined);
      return {};
    });
    peer.script('events', (body) => ({ ...(peer.take(body) as { acked: number; credit: number }), fenced: ['req-1'] }));
    peer.turn('req-1');
    await peer.until('the kill', () => {
      setTimeout(() => peer.touch(), 20);
      return killed.length > 0;
    });
    expect(peer.terminal('req-1')).toBeUndefined();
  });

  it('a turn the welcome abandons is killed, one it continues goes on', async () => {
    let release: () => void = () => undefined;
    const { peer, killed } = await scene(async (prompt, sink) => {
      await sink.emit('text', { text: prompt });
      await new Promise<void>((resolve) => (release = resolve));
      return {};
    });
    peer.turn('req-1');
    await peer.until('output', () => peer.eventsOf().length === 1);
    peer.socket.disconnect(true);
    await peer.until('the second hello', () => peer.bodies('hello').length === 2);
    release();
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(killed).toEqual([]);
    peer.turn('req-2');
    await peer.until('output', () => peer.eventsOf().some(({ turnId }) => turnId === 'req-2'));
    peer.verdict = 'abandon';
    peer.socket.disconnect(true);
    await peer.until('the kill', () => {
      setTimeout(() => peer.touch(), 20);
      return killed.length > 0;
    });
    expect(peer.terminal('req-2')).toBeUndefined();
  });

  it('publishes nothing once the lease may have ended, until it is renewed', async () => {
    let release: () => void = () => undefined;
    const { peer } = await scene(
      async (_prompt, sink) => {
        await new Promise<void>((resolve) => (release = resolve));
        await sink.emit('text', { text: 'late' });
        return {};
      },
      (scripted) => {
        scripted.leaseMs = 1_200;
        scripted.heartbeatMs = 60_000;
      },
    );
    peer.turn('req-1');
    await peer.until('the start', () => peer.bodies('turn.started').length > 0);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const before = peer.bodies('heartbeat').length;
    peer.script('heartbeat', () => ({ error: { code: 'database_unavailable', message: 'no' } }));
    release();
    await peer.until('a heartbeat out of turn', () => peer.bodies('heartbeat').length > before);
    expect(peer.bodies('events')).toEqual([]);
    peer.socket.emit('wake', {});
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
  }, 30_000);

  it('an expired token is replaced by a new connect', async () => {
    const { peer } = await scene(echo, (scripted) => scripted.refuseHandshake.push({ code: 'token_expired' }));
    peer.turn('req-1');
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(peer.connects.length).toBe(2);
    expect(peer.connects[0]?.incarnation).toBe(peer.connects[1]?.incarnation);
  });

  it('a busy controller is tried again after the time it names', async () => {
    const startedAt = Date.now();
    const { peer } = await scene(echo, (scripted) =>
      scripted.refuseHandshake.push({ code: 'link_busy', retryAfterMs: 700 }),
    );
    await peer.until('hello', () => peer.bodies('hello').length === 1);
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(690);
    expect(peer.connects.length).toBe(1);
  });

  it('a controller that leaves is left and found again', async () => {
    const { peer } = await scene(echo);
    await peer.until('a held pull', () => peer.bodies('turn.pull').length === 1);
    await expect(peer.socket.timeout(2000).emitWithAck('drain', { reconnectAfterMs: 100 })).resolves.toEqual({
      ok: true,
    });
    await peer.until('the second hello', () => peer.bodies('hello').length === 2);
    peer.turn('req-1');
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
  });
});
