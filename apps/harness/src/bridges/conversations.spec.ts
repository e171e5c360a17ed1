import { createLogger, Secrets } from '../log/logger';
import { Conversations } from './conversations';

interface Run {
  name: string;
  message: string;
  signal: AbortSignal;
  finish: () => void;
  fail: (error: Error) => void;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(limits: { maxParallel?: number; maxWaiting?: number } = {}) {
  const runs: Run[] = [];
  const lines: string[] = [];
  const conversations = new Conversations<string>({
    maxParallel: 2,
    maxWaiting: 2,
    ...limits,
    log: createLogger({ level: 'debug', secrets: new Secrets(), write: (line) => lines.push(line) }),
    run: (name, message, signal) =>
      new Promise((finish, fail) => {
        runs.push({ name, message, signal, finish, fail });
        signal.addEventListener('abort', () => finish());
      }),
  });
  const started = (): string[] => runs.map(({ name, message }) => name + message);
  return { conversations, runs, lines, started };
}

describe('Conversations', () => {
  it('runs the messages of one conversation one at a time, in their order', async () => {
    const { conversations, runs, started } = setUp();
    for (const message of ['1', '2', '3']) conversations.offer('a', message);
    expect(started()).toEqual(['a1']);
    runs[0]?.finish();
    await settled();
    expect(started()).toEqual(['a1', 'a2']);
    runs[1]?.finish();
    await settled();
    expect(started()).toEqual(['a1', 'a2', 'a3']);
  });

  it('runs conversations side by side up to the limit, and serves them in turn', async () => {
    const { conversations, runs, started } = setUp({ maxParallel: 2 });
    for (const message of ['1', '2']) for (const name of ['a', 'b', 'c']) conversations.offer(name, message);
    expect(started()).toEqual(['a1', 'b1']);
    runs[0]?.finish();
    await settled();
    // c has waited longer than the second message of a.
    expect(started()).toEqual(['a1', 'b1', 'c1']);
    runs[1]?.finish();
    runs[2]?.finish();
    await settled();
    expect(started().slice(3).sort()).toEqual(['a2', 'b2']);
  });

  it('takes no more than its limit and takes again once one has been worked off', async () => {
    const { conversations, runs } = setUp({ maxWaiting: 2 });
    expect(['1', '2', '3', '4'].map((message) => conversations.offer('a', message))).toEqual([true, true, true, false]);
    expect(conversations.offer('b', '1')).toBe(true);
    runs[0]?.finish();
    await settled();
    expect(conversations.offer('a', '5')).toBe(true);
  });

  it('a message that fails is logged and the next one runs', async () => {
    const { conversations, runs, lines, started } = setUp();
    conversations.offer('a', '1');
    conversations.offer('a', '2');
    runs[0]?.fail(new Error('broken'));
    await settled();
    expect(started()).toEqual(['a1', 'a2']);
    expect(lines.join('')).toContain('broken');
  });

  it('end stops what runs and forgets what waits, in those that match alone', async () => {
    const { conversations, runs, started } = setUp();
    for (const message of ['1', '2']) for (const name of ['a', 'b']) conversations.offer(name, message);
    await conversations.end((name) => name === 'a');
    expect(runs.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    expect(started()).toEqual(['a1', 'b1']);
  });

  it('end lets what runs finish within the time it is given', async () => {
    const { conversations, runs } = setUp();
    conversations.offer('a', '1');
    const ended = conversations.end(() => true, 60_000);
    runs[0]?.finish();
    await ended;
    expect(runs[0]?.signal.aborted).toBe(false);
  });
});
