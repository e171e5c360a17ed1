import { join } from 'node:path';
import { newId } from '@reins/shared/ids';
import { systemClock } from '@reins/shared/util';
import { ApiClient, credentialsOf, eventually } from '../support/api-client';
import { bootController, type TestController } from '../support/controller';
import { endOf, ScriptedHarness, textOf } from '../support/scripted-harness';

const HARNESS_COMMAND = JSON.stringify([process.execPath, join(__dirname, '../support/idle-harness.mjs')]);

let controller: TestController;
let api: ApiClient;
let workerId: string;
const open: ScriptedHarness[] = [];

beforeAll(async () => {
  controller = await bootController({
    HARNESS_COMMAND,
    HEARTBEAT_MS: '200',
    LEASE_MS: '1000',
    START_WITHIN_MS: '700',
    LOST_AFTER_MS: '2500',
    ABORT_GRACE_MS: '1000',
  });
  api = new ApiClient(controller.url);
  workerId = await api.worker();
}, 60_000);

afterEach(() => {
  for (const harness of open.splice(0)) harness.close();
});

afterAll(() => controller.close(), 60_000);

async function connect(sessionId: string, incarnation?: string): Promise<ScriptedHarness> {
  const harness = await ScriptedHarness.connect(
    controller.url,
    await credentialsOf(controller.dataDir, sessionId),
    incarnation,
  );
  open.push(harness);
  return harness;
}

/** A session whose harness the test is, up to `ready`. */
async function activeSession(more: object = {}): Promise<{ id: string; harness: ScriptedHarness }> {
  const { id } = await api.session(workerId, more);
  const harness = await connect(id);
  await harness.start();
  await api.until(id, 'active');
  return { id, harness };
}

const queue = (id: string, prompt: string, more: object = {}, headers?: Record<string, string>) =>
  api.call<Record<string, unknown>>('POST', `/sessions/${id}/prompt`, { prompt, ...more }, headers);

const texts = async (id: string): Promise<unknown[]> =>
  (await api.log(id)).filter(({ type }) => type === 'text').map(({ data }) => data['text']);

const ends = async (id: string): Promise<Record<string, unknown>[]> =>
  (await api.log(id)).filter(({ type }) => type === 'turn.completed').map(({ data }) => data);

describe('the link', () => {
  it('L1 L2: events of a turn arrive in order and seq has no gap over turns', async () => {
    const { id, harness } = await activeSession();
    for (const round of [0, 1]) {
      const answer = queue(id, `p${round}`);
      const turn = await harness.take();
      const from = round * 4 + 1;
      await harness.push(
        from,
        ['a', 'b', 'c'].map((text) => textOf(turn, text + round)),
      );
      await harness.push(from + 3, [endOf(turn)]);
      expect((await answer).body).toMatchObject({ response: `a${round}b${round}c${round}`, tokensIn: 3, tokensOut: 2 });
    }
    expect(await texts(id)).toEqual(['a0', 'b0', 'c0', 'a1', 'b1', 'c1']);
    const log = await api.log(id);
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
  });

  it('L4: a gap is answered with the number to send again from', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    const turn = await harness.take();
    expect(await harness.push(3, [textOf(turn, 'c')])).toEqual({ expect: 1 });
    await harness.push(1, [textOf(turn, 'a'), textOf(turn, 'b'), textOf(turn, 'c'), endOf(turn)]);
    expect((await answer).body).toMatchObject({ response: 'abc' });
  });

  it('L10: a lost ack never appends twice, also over a new socket', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    const turn = await harness.take();
    const batch = [textOf(turn, 'a'), textOf(turn, 'b')];
    await harness.push(1, batch);
    await harness.push(1, batch);
    harness.close();
    const again = await ScriptedHarness.open(
      controller.url,
      harness.credentials,
      harness.incarnation,
      harness.configuration,
    );
    open.push(again);
    const welcome = await again.hello({
      next: 3,
      turns: [{ turnId: turn.turnId, generation: turn.generation, state: 'running' }],
    });
    expect(welcome.sessions[0]).toMatchObject({ acked: 2, turns: [{ verdict: 'continue' }] });
    await again.push(1, [...batch, endOf(turn)]);
    expect((await answer).body).toMatchObject({ response: 'ab' });
    expect(await texts(id)).toEqual(['a', 'b']);
  });

  it('L5 L6 L11: whoever did not start in time is fenced, and its numbers are used up', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    const late = await harness.pull();
    const turn = await harness.pull();
    expect(turn.turnId).toBe(late.turnId);
    expect(turn.generation).toBeGreaterThan(late.generation);
    expect(await harness.call('turn.started', harness.about(late))).toEqual({ fenced: true });
    await harness.call('turn.started', harness.about(turn));
    expect(await harness.push(1, [textOf(late, 'stale')])).toMatchObject({ acked: 1, fenced: [turn.turnId] });
    expect(await harness.push(2, [textOf(turn, 'fresh'), endOf(turn)])).toMatchObject({ acked: 3 });
    expect((await answer).body).toMatchObject({ response: 'fresh' });
  });

  it('L7: of two sockets of one incarnation the newest wins and the late disconnect is harmless', async () => {
    const { id, harness } = await activeSession();
    const newer = await ScriptedHarness.open(
      controller.url,
      harness.credentials,
      harness.incarnation,
      harness.configuration,
    );
    open.push(newer);
    await newer.hello();
    await eventually(async () => expect(harness.socket.connected).toBe(false));
    const answer = queue(id, 'p');
    const turn = await newer.take();
    await newer.push(1, [textOf(turn, 'x'), endOf(turn)]);
    expect((await answer).status).toBe(200);
    expect((await api.get(id)).phase).not.toBe('lost');
  });

  it('L8 L9: a restarted harness takes over; the one it replaced is sent away and refused', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    await harness.take();
    const newer = await connect(id);
    await eventually(async () =>
      expect(harness.received).toContainEqual({ event: 'bye', body: { reason: 'superseded' } }),
    );
    await newer.hello();
    // What the former process worked on died with it.
    expect(await answer).toMatchObject({ status: 409, body: { code: 'turn_interrupted', retryable: true } });
    const { credentials, incarnation, configuration } = harness;
    await expect(ScriptedHarness.open(controller.url, credentials, incarnation, configuration)).rejects.toMatchObject({
      data: { code: 'agent_superseded' },
    });
    await expect(ScriptedHarness.connect(controller.url, credentials, incarnation)).rejects.toThrow('409');
    await expect(
      ScriptedHarness.open(controller.url, credentials, newId('incarnation'), configuration),
    ).rejects.toMatchObject({
      data: { code: 'agent_superseded' },
    });
  });

  it('L12: a frame above 256 KiB gets a typed error and the link lives', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    const turn = await harness.take();
    const big = Array.from({ length: 6 }, () => textOf(turn, 'x'.repeat(60_000)));
    expect(await harness.push(1, big)).toMatchObject({ error: { code: 'frame_too_large' } });
    await harness.push(1, [...big.slice(0, 3)]);
    await harness.push(4, [endOf(turn)]);
    expect((await answer).status).toBe(200);
  });

  it('a frame that does not fit the protocol is answered with what is wrong', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    const turn = await harness.take();
    const wrong = { sessionId: id, from: 0, items: [] } as unknown as Parameters<typeof harness.call<'events'>>[1];
    expect(await harness.call('events', wrong)).toMatchObject({ error: { code: 'frame_invalid' } });
    const misfit = { ...textOf(turn, 'x'), data: { words: 1 } };
    const unknown = { ...textOf(turn, 'x'), type: 'telepathy' };
    expect(await harness.push(1, [misfit, unknown, endOf(turn)])).toMatchObject({ acked: 3 });
    expect((await answer).status).toBe(200);
    const refusals = (await api.log(id)).filter(({ type }) => type === 'log').map(({ data }) => data['message']);
    expect(refusals).toEqual([expect.stringContaining('event 1 of type text was refused')]);
  });

  it("another session's frames are refused", async () => {
    const [one, two] = [await activeSession(), await activeSession()];
    const answer = queue(one.id, 'p');
    const turn = await one.harness.take();
    const items = [{ ...textOf(turn, 'forged'), n: 1 }];
    expect(await two.harness.call('events', { sessionId: one.id, from: 1, items })).toMatchObject({
      error: { code: 'session_not_found' },
    });
    expect(await two.harness.call('turn.pull', { sessions: [one.id], slots: 1 })).toMatchObject({ none: true });
    await one.harness.push(1, [endOf(turn)]);
    await answer;
    expect(await texts(one.id)).toEqual([]);
  });

  it('what a harness lost before it was stored is named in the log, once', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    const turn = await harness.take();
    await harness.push(1, [textOf(turn, 'a')]);
    const turns = [{ turnId: turn.turnId, generation: turn.generation, state: 'running' as const }];
    expect((await harness.hello({ next: 6, spooledFrom: 5, turns })).sessions[0]).toMatchObject({ acked: 4 });
    await harness.push(5, [textOf(turn, 'b'), endOf(turn)]);
    await answer;
    expect(await texts(id)).toEqual(['a', 'b']);
    const lost = (await api.log(id)).filter(({ type }) => type === 'log');
    expect(lost.map(({ data }) => data['message'])).toEqual([
      'the harness lost events 2 to 4 before they could be stored',
    ]);
  });

  it('an incarnation that comes back without its turn has it interrupted, or queued again where it had not begun', async () => {
    const { id, harness } = await activeSession();
    const running = queue(id, 'began');
    const waiting = queue(id, 'not yet', { subsessionId: 'side' });
    await harness.take();
    const leased = await harness.pull();
    const newer = await connect(id);
    await newer.start();
    expect((await running).body).toMatchObject({ code: 'turn_interrupted' });
    const again = await newer.take();
    expect(again.turnId).toBe(leased.turnId);
    await newer.push(1, [textOf(again, 'done'), endOf(again)]);
    expect((await waiting).body).toMatchObject({ response: 'done' });
  });
});

describe('leases', () => {
  it('a heartbeat keeps the turn; silence past LOST_AFTER_MS interrupts it', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    const turn = await harness.take();
    const beat = () =>
      harness.call('heartbeat', {
        status: 'busy',
        metrics: {},
        alive: true,
        turns: [{ ...harness.about(turn), progress: { lastOutputAt: null, state: 'running' } }],
        lastCommand: {},
        configVersion: harness.configuration.configVersion,
      });
    for (let beats = 0; beats < 20; beats++) {
      expect((await beat()).leases).toEqual([
        expect.objectContaining({ turnId: turn.turnId, generation: turn.generation }),
      ]);
      await systemClock.sleep(200);
    }
    harness.close();
    expect(await answer).toMatchObject({
      status: 409,
      body: { code: 'turn_interrupted', details: { stopReason: 'harness_lost' } },
    });
    expect(await ends(id)).toEqual([expect.objectContaining({ status: 'interrupted', synthetic: true })]);
  }, 30_000);

  it('a harness that was cut off and returns in time carries on', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    const turn = await harness.take();
    await harness.push(1, [textOf(turn, 'before ')]);
    harness.close();
    await systemClock.sleep(1_300);
    const again = await ScriptedHarness.open(
      controller.url,
      harness.credentials,
      harness.incarnation,
      harness.configuration,
    );
    open.push(again);
    const turns = [{ turnId: turn.turnId, generation: turn.generation, state: 'running' as const }];
    expect((await again.hello({ next: 2, turns })).sessions[0]?.turns).toEqual([
      expect.objectContaining({ verdict: 'continue' }),
    ]);
    await again.push(2, [textOf(turn, 'after'), endOf(turn)]);
    expect((await answer).body).toMatchObject({ response: 'before after' });
  });

  it('onInterrupt "restart" gives the turn to the next harness, at most three times', async () => {
    const { id, harness } = await activeSession({ settings: { onInterrupt: 'restart' } });
    const answer = queue(id, 'p');
    let current = harness;
    for (let attempt = 1; attempt <= 3; attempt++) {
      await current.take();
      current = await connect(id);
      await current.start();
    }
    expect((await answer).body).toMatchObject({ code: 'turn_interrupted' });
    expect(await ends(id)).toHaveLength(1);
    expect((await api.telemetry(id))[0]).toMatchObject({ attempt: 3, status: 'interrupted' });
  });
});

describe('abort', () => {
  it('reaches a working harness as a command, again with each heartbeat until it is applied', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    const turn = await harness.take();
    expect(await api.call('POST', `/sessions/${id}/abort`, {})).toMatchObject({
      status: 200,
      body: { status: 'aborted' },
    });
    const command = {
      sessionId: id,
      lane: 'abort',
      n: 1,
      type: 'abort',
      body: expect.objectContaining({ turnId: turn.turnId }) as unknown,
    };
    await eventually(async () => expect(harness.received).toContainEqual({ event: 'command', body: command }));
    const open = await harness.call('commands.pull', { sessionId: id, after: { main: 0, abort: 0 } });
    expect(open.commands).toEqual([command]);
    await harness.push(1, [textOf(turn, 'partial'), endOf(turn, 'cancelled')]);
    await harness.call('command.ack', { sessionId: id, lane: 'abort', n: 1, ok: true });
    expect(await answer).toMatchObject({ status: 409, body: { code: 'turn_cancelled' } });
    expect((await harness.call('commands.pull', { sessionId: id, after: { main: 0, abort: 0 } })).commands).toEqual([]);
    expect((await api.telemetry(id))[0]).toMatchObject({ status: 'cancelled', response: 'partial' });
  });

  it('of queued turns is done at once; the live one goes on', async () => {
    const { id, harness } = await activeSession();
    const first = queue(id, 'first');
    const turn = await harness.take();
    const second = queue(id, 'second');
    const queued = await eventually(async () => {
      const found = (await api.telemetry(id)).find(({ prompt }) => prompt === 'second');
      if (found === undefined) throw new Error('not queued yet');
      return found;
    });
    await api.must('POST', `/sessions/${id}/abort`, { requestId: queued.id });
    expect(await second).toMatchObject({ status: 409, body: { code: 'turn_cancelled' } });
    await harness.push(1, [endOf(turn)]);
    expect((await first).status).toBe(200);
  });

  it('L16: while the harness is away the controller writes the end itself and fences the turn', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    const turn = await harness.take();
    harness.close();
    await api.must('POST', `/sessions/${id}/abort`, {});
    expect(await answer).toMatchObject({ status: 409, body: { code: 'turn_cancelled' } });
    const again = await ScriptedHarness.open(
      controller.url,
      harness.credentials,
      harness.incarnation,
      harness.configuration,
    );
    open.push(again);
    const turns = [{ turnId: turn.turnId, generation: turn.generation, state: 'running' as const }];
    expect((await again.hello({ turns })).sessions[0]?.turns).toEqual([
      expect.objectContaining({ verdict: 'abandon' }),
    ]);
    await again.push(1, [endOf(turn)]);
    expect(await ends(id)).toEqual([expect.objectContaining({ status: 'cancelled', synthetic: true })]);
  });

  it('L17: racing the completion leaves exactly one terminal event', async () => {
    const { id, harness } = await activeSession();
    for (let round = 0; round < 5; round++) {
      const answer = queue(id, `p${round}`);
      const turn = await harness.take();
      await Promise.all([
        harness.push(round + 1, [endOf(turn)]),
        api.must('POST', `/sessions/${id}/abort`, {}),
        systemClock.sleep(round),
      ]);
      expect([200, 409]).toContain((await answer).status);
      expect(await ends(id)).toHaveLength(round + 1);
    }
  });

  it('of a finished turn is a no-op', async () => {
    const { id, harness } = await activeSession();
    const answer = queue(id, 'p');
    const turn = await harness.take();
    await harness.push(1, [endOf(turn)]);
    const { requestId } = (await answer).body;
    expect(await api.call('POST', `/sessions/${id}/abort`, { requestId })).toMatchObject({ status: 200 });
    expect(await ends(id)).toHaveLength(1);
  });
});

describe('idempotency', () => {
  it('L31: the same key at the same time is one turn, another body is 422', async () => {
    const { id, harness } = await activeSession();
    const headers = { 'Idempotency-Key': 'k1' };
    const answers = Array.from({ length: 10 }, () => queue(id, 'once', {}, headers));
    const turn = await harness.take();
    await harness.push(1, [textOf(turn, 'one'), endOf(turn)]);
    const bodies = (await Promise.all(answers)).map(({ body }) => body);
    expect(new Set(bodies.map(({ requestId }) => requestId))).toEqual(new Set([turn.turnId]));
    expect(await api.telemetry(id)).toHaveLength(1);
    expect(await queue(id, 'twice', {}, headers)).toMatchObject({
      status: 422,
      body: { code: 'idempotency_mismatch' },
    });
    // A repeat on /stream shows the same turn from its first event.
    const events: string[] = [];
    for await (const { data } of api.sse('POST', `/sessions/${id}/stream`, { prompt: 'once' }, headers)) {
      events.push((JSON.parse(data) as { type: string }).type);
    }
    expect(events).toEqual(['start', 'text', 'complete']);
  });

  it('the same key on POST /sessions is one session', async () => {
    const headers = { 'Idempotency-Key': newId('turn') };
    const made = await Promise.all(
      Array.from({ length: 5 }, () => api.must<{ id: string }>('POST', '/sessions', { workerId }, headers)),
    );
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
  });
});
