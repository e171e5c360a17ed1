import { Command, EventsPush, Hello, TurnCompleted } from './index';

describe('link frames', () => {
  it('accept a hello as the protocol page writes it and drop unknown fields', () => {
    const hello = {
      bootAt: '2026-01-01T00:00:00.000Z',
      harness: { version: '1.0.0', capabilities: ['deltas'] },
      slots: 1,
      sessions: [
        {
          sessionId: 'sess-1',
          out: { next: 3, spooledFrom: 1 },
          lastCommand: { main: 0, abort: 0 },
          turns: [{ turnId: 'req-1', generation: 1, state: 'running' }],
        },
      ],
      future: true,
    };
    const parsed = Hello.parse(hello);
    expect(parsed.sessions[0]?.turns[0]?.state).toBe('running');
    expect(parsed).not.toHaveProperty('future');
  });

  it('refuse an empty batch and a number below 1', () => {
    const item = { n: 1, at: 'x', type: 'text', data: {} };
    expect(EventsPush.safeParse({ sessionId: 's', from: 1, items: [] }).success).toBe(false);
    expect(EventsPush.safeParse({ sessionId: 's', from: 0, items: [item] }).success).toBe(false);
    expect(EventsPush.safeParse({ sessionId: 's', from: 1, items: [item] }).success).toBe(true);
  });

  it('give a terminal event its artifacts even where an agent reports none', () => {
    expect(TurnCompleted.parse({ status: 'complete', stopReason: 'end_turn' }).artifacts).toEqual([]);
    expect(TurnCompleted.safeParse({ status: 'done', stopReason: 'x' }).success).toBe(false);
  });

  it('know commands by their type', () => {
    const abort = { type: 'abort', sessionId: 's', lane: 'abort', n: 1, body: { turnId: 'req-1', reason: 'user' } };
    expect(Command.parse(abort)).toEqual(abort);
    expect(Command.safeParse({ ...abort, type: 'reboot' }).success).toBe(false);
  });
});
