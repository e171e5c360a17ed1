import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Driver, type DriverContext, type DriverOutcome, type EventSink } from './drivers/driver.port';
import { Harness } from './harness';
import { type Exit } from './lifecycle/exit-codes';
import { AGENT_ID, type Script, ScriptedPeer, SECRET, SESSION, SILENCE } from './link/testing/scripted-peer';
import { createLogger, Secrets } from './log/logger';

type Play = (
  prompt: string,
  sink: EventSink,
  signal: AbortSignal,
  context: DriverContext,
) => Promise<Partial<DriverOutcome>>;

interface Scene {
  peer: ScriptedPeer;
  harness: Harness;
  exit: Promise<Exit>;
  lines: string[];
  killed: string[];
  contexts: DriverContext[];
  workspace: string;
}

const scenes: { harness: Harness; exit: Promise<Exit>; peer: ScriptedPeer; folder: string }[] = [];

afterEach(async () => {
  for (const { harness, exit, peer, folder } of scenes.splice(0)) {
    await Promise.all([harness.stop('test over'), exit]);
    await peer.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

const echo: Play = async (prompt, sink) => {
  await sink.emit('text', { text: prompt });
  return {};
};

async function scene(play: Play = echo, prepare: (peer: ScriptedPeer) => void = () => undefined): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'reins-harness-'));
  const workspace = join(folder, 'workspace');
  const peer = await ScriptedPeer.start();
  prepare(peer);
  const lines: string[] = [];
  const killed: string[] = [];
  const contexts: DriverContext[] = [];
  const secrets = new Secrets();
  const harness = new Harness({
    config: {
      baseUrl: peer.url,
      agentId: AGENT_ID,
      agentSecret: SECRET,
      workspace,
      stateDir: join(folder, 'state'),
      maxLanes: 4,
      drainMs: 2_500,
      logLevel: 'debug',
      env: { PATH: process.env.PATH ?? '', AIWM_AGENT_SECRET: SECRET, CLAUDE_MODEL: 'from-env' },
    },
    version: '0.0.0',
    incarnation: `inc-${scenes.length}-${Date.now()}`,
    supportedTypes: ['scripted'],
    loadDriver: async () => (context) => {
      contexts.push(context);
      return new PlayDriver(context, play, killed);
    },
    log: createLogger({ level: 'debug', secrets, write: (line) => lines.push(line) }),
    secrets,
    softStopMs: 200,
  });
  const exit = harness.run();
  scenes.push({ harness, exit, peer, folder });
  return { peer, harness, exit, lines, killed, contexts, workspace };
}

/** A driver whose turns are functions of the test. */
class PlayDriver implements Driver {
  readonly capabilities = { deltas: true, resume: true, usage: true, permissions: false };
  conversationId: string | undefined;
  readonly pid = undefined;
  private end: () => void = () => undefined;

  constructor(
    private readonly context: DriverContext,
    private readonly play: Play,
    private readonly killed: string[],
  ) {}

  async start(): Promise<void> {}

  async prompt(turn: { prompt: string }, sink: EventSink, signal: AbortSignal): Promise<DriverOutcome> {
    this.conversationId = this.context.resumeId ?? `conversation-${this.context.lane}`;
    const killed = new Promise<Partial<DriverOutcome>>((resolve) => {
      this.end = () => resolve({ status: 'failed', stopReason: 'process_exited' });
    });
    const outcome = await Promise.race([this.play(turn.prompt, sink, signal, this.context), killed]);
    return { status: 'complete', stopReason: 'end_turn', usage: undefined, ...outcome };
  }

  async kill(): Promise<void> {
    this.killed.push(this.context.lane);
    this.end();
  }

  async stop(): Promise<void> {
    this.end();
  }
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

const numbers = (peer: ScriptedPeer): number[] => peer.eventsOf().map(({ n }) => n);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

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
        scripted.leaseMs = 5_300;
        scripted.heartbeatMs = 60_000;
      },
    );
    peer.turn('req-1');
    await peer.until('the start', () => peer.bodies('turn.started').length > 0);
    await new Promise((resolve) => setTimeout(resolve, 500));
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
    expect(harness.status).toEqual({ connected: true, sessions: 1 });
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
