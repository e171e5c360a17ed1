import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECRET, SESSION } from './link/testing/scripted-peer';
import { echo, endScenes, scene, untilAborted } from './testing/scene';

afterEach(endScenes);

describe('a turn', () => {
  it('is pulled, started, streamed and ended once, with its artifacts', async () => {
    const { peer, workspace, contexts } = await scene(async (prompt, sink, _signal, context) => {
      await sink.emit('text', { text: prompt });
      writeFileSync(join(context.workspace, 'made.txt'), 'x');
      return { usage: { tokensIn: 1, tokensOut: 2 }, raw: { format: 'jsonl', content: '{}' } };
    });
    peer.turn('req-1');
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(peer.eventsOf().map(({ type }) => type)).toEqual(['text', 'file.changed', 'turn.completed']);
    expect(peer.terminal('req-1')).toEqual({
      status: 'complete',
      stopReason: 'end_turn',
      artifacts: ['made.txt'],
      usage: { tokensIn: 1, tokensOut: 2 },
      raw: { format: 'jsonl', content: '{}' },
    });
    expect(readFileSync(join(workspace, 'AGENTS.md'), 'utf8')).toBe('Instruction of v1');
    expect(contexts[0]?.env).not.toHaveProperty('AIWM_AGENT_SECRET');
    expect(contexts[0]?.settings.claude_model).toBe('from-env');
    expect(peer.connects[0]).toMatchObject({ secret: SECRET, supportedTypes: ['scripted'] });
    expect(peer.faults).toEqual([]);
  });

  it('carries its conversation id to the controller, also into a new process', async () => {
    const { peer } = await scene(echo, (scripted) => {
      scripted.session = { ...SESSION, resume: { lanes: { main: 'earlier' } } };
    });
    peer.turn('req-1');
    peer.turn('req-2', { subsessionId: 'side' });
    await peer.until('both ends', () => ['req-1', 'req-2'].every((id) => peer.terminal(id) !== undefined));
    const reports = peer.bodies('turn.started');
    expect(reports.find(({ turnId }) => turnId === 'req-1')?.cliSessionId).toBe('earlier');
    expect(reports.filter(({ turnId }) => turnId === 'req-2').at(-1)?.cliSessionId).toBe('conversation-side');
    expect(peer.faults).toEqual([]);
  });

  it('fetches a prompt that is too large for the socket', async () => {
    const large = 'p'.repeat(100_000);
    const { peer } = await scene(async (prompt) => ({ stopReason: `length ${prompt.length}` }));
    peer.prompts.set('/sessions/sess-1/turns/req-1/prompt', large);
    peer.turn('req-1', { prompt: '', promptUrl: '/sessions/sess-1/turns/req-1/prompt' });
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(peer.terminal('req-1')?.stopReason).toBe('length 100000');
  });

  it('that was fenced before it started is dropped without a word', async () => {
    const { peer, contexts } = await scene();
    peer.script('turn.started', () => ({ fenced: true }));
    peer.turn('req-1');
    peer.turn('req-2');
    await peer.until('the next', () => peer.terminal('req-2') !== undefined);
    expect(peer.eventsOf().every(({ turnId }) => turnId === 'req-2')).toBe(true);
    expect(contexts.length).toBe(1);
  });

  it('ends failed by timeout when it takes too long', async () => {
    const { peer } = await scene(async (_prompt, _sink, signal) => {
      await untilAborted(signal);
      return { status: 'cancelled', stopReason: 'aborted' };
    });
    peer.turn('req-1', { timeoutMs: 50 });
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    expect(peer.terminal('req-1')).toMatchObject({ status: 'failed', stopReason: 'timeout' });
  });

  it('puts data too large for the socket into blobs and names them', async () => {
    const output = 'o'.repeat(200_000);
    const { peer } = await scene(async (_prompt, sink) => {
      await sink.emit('tool_result', { id: '1', output });
      await sink.emit('text', { text: 'after' });
      return { raw: { format: 'jsonl', content: 'r'.repeat(50_000) } };
    });
    peer.turn('req-1');
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    const [result, text] = peer.eventsOf();
    expect(JSON.parse(peer.blobs.get(String(result?.data.blobId))?.toString() ?? '')).toEqual({ id: '1', output });
    expect(text?.data).toEqual({ text: 'after' });
    const raw = peer.terminal('req-1')?.raw as { blobId: string };
    expect(peer.blobs.get(raw.blobId)?.length).toBe(50_000);
  });

  it('runs beside a turn of another lane', async () => {
    let inside = 0;
    let most = 0;
    const { peer } = await scene(async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 100));
      inside--;
      return {};
    });
    peer.turn('req-1');
    peer.turn('req-2', { subsessionId: 'b' });
    await peer.until('both ends', () => ['req-1', 'req-2'].every((id) => peer.terminal(id) !== undefined));
    expect(most).toBe(2);
  });
});

describe('an autonomous agent', () => {
  it('serves the sessions it is bound to, each in its own folder, until they are unbound', async () => {
    const { peer, workspace, harness } = await scene(
      async (prompt, _sink, _signal, context) => {
        mkdirSync(context.workspace, { recursive: true });
        writeFileSync(join(context.workspace, prompt), '');
        return {};
      },
      (scripted) => (scripted.session = null),
    );
    await peer.until('hello', () => peer.bodies('hello').length === 1);
    for (const id of ['sess-a', 'sess-b']) {
      await expect(peer.socket.timeout(2000).emitWithAck('bind', { session: { ...SESSION, id } })).resolves.toEqual({
        bound: true,
      });
    }
    await peer.until('both ready', () => peer.bodies('ready').length === 2);
    peer.turn('req-a', { sessionId: 'sess-a' });
    peer.turn('req-b', { sessionId: 'sess-b' });
    const ended = (id: string): boolean => peer.eventsOf(id).some(({ type }) => type === 'turn.completed');
    await peer.until('both ends', () => ended('sess-a') && ended('sess-b'));
    expect(existsSync(join(workspace, 'sess-a', 'req-a'))).toBe(true);
    expect(existsSync(join(workspace, 'sess-b', 'req-b'))).toBe(true);
    await peer.socket.timeout(2000).emitWithAck('unbind', { sessionId: 'sess-a', reason: 'moved' });
    await peer.until('one left', () => peer.bodies('heartbeat').at(-1)?.metrics.activeSessions === 1);
    expect(harness.status).toEqual({
      phase: 'working',
      connected: true,
      mode: 'remote',
      configVersion: 'v1',
      sessions: 1,
      turnsRunning: 0,
    });
    const before = peer.eventsOf('sess-a').length;
    await peer.socket.timeout(2000).emitWithAck('bind', { session: { ...SESSION, id: 'sess-a' } });
    await peer.until('ready again', () => peer.bodies('ready').length === 3);
    peer.turn('req-c', { sessionId: 'sess-a' });
    await peer.until('its end', () => peer.eventsOf('sess-a').some(({ turnId }) => turnId === 'req-c'));
    expect(peer.eventsOf('sess-a')[before]?.n).toBe(before + 1);
  });

  it('refuses a session whose id could leave its folder', async () => {
    const { peer } = await scene(echo, (scripted) => (scripted.session = null));
    await peer.until('hello', () => peer.bodies('hello').length === 1);
    await expect(
      peer.socket.timeout(2000).emitWithAck('bind', { session: { ...SESSION, id: '../../x' } }),
    ).resolves.toMatchObject({ error: { code: 'frame_invalid' } });
  });

  it('that is superseded stops with an alert', async () => {
    const { peer, exit, lines } = await scene(echo, (scripted) => (scripted.session = null));
    await peer.until('hello', () => peer.bodies('hello').length === 1);
    peer.socket.emit('bye', { reason: 'superseded' });
    await expect(exit).resolves.toMatchObject({ code: 1 });
    expect(lines.some((line) => line.includes('"level":"error"') && line.includes('superseded'))).toBe(true);
  });
});

describe('configuration', () => {
  it('that changed is fetched and holds for later turns', async () => {
    const { peer, contexts } = await scene();
    peer.turn('req-1');
    await peer.until('the end', () => peer.terminal('req-1') !== undefined);
    peer.configVersion = 'v2';
    peer.settings = { claude_model: 'from-controller' };
    peer.socket.emit('wake', { configVersion: 'v2' });
    await peer.until('the new version', () => peer.bodies('heartbeat').at(-1)?.configVersion === 'v2');
    peer.turn('req-2');
    await peer.until('the end', () => peer.terminal('req-2') !== undefined);
    expect(contexts.map(({ instruction }) => instruction)).toEqual(['Instruction of v1', 'Instruction of v2']);
    expect(contexts[1]?.settings.claude_model).toBe('from-controller');
    expect(contexts[1]?.resumeId).toBe('conversation-main');
  });
});
