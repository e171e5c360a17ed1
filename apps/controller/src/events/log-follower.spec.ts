import { orgScope } from '../access/principal';
import { type LogListener } from './followed-sessions';
import { LogEvent } from './log-event';
import { followLog } from './log-follower';

const eventAt = (seq: number): LogEvent => LogEvent.of(seq, { at: '2026-01-01T00:00:00.000Z', type: 'text', data: {} });

/** A log in memory: what is appended is stored first and published second, as the real one does. */
function memoryLog(stored: number) {
  const events = Array.from({ length: stored }, (_, index) => eventAt(index + 1));
  const listeners = new Set<LogListener>();
  return {
    append(count: number): void {
      const fresh = this.store(count);
      for (const listener of listeners) listener.onEvents(fresh);
    },
    /** By another controller, whose message was lost. */
    store(count: number): LogEvent[] {
      const fresh = Array.from({ length: count }, (_, index) => eventAt(events.length + index + 1));
      events.push(...fresh);
      return fresh;
    },
    tellTail(): void {
      for (const listener of listeners) listener.onTail(events.length);
    },
    tell(fresh: LogEvent[]): void {
      for (const listener of listeners) listener.onEvents(fresh);
    },
    subscribe(_scope: unknown, _sessionId: string, listener: LogListener): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async *replay(_scope: unknown, _sessionId: string, after: number): AsyncGenerator<LogEvent> {
      for (let index = after; index < events.length; index++) yield events[index] as LogEvent;
    },
  };
}

function follow(log: ReturnType<typeof memoryLog>, ready: () => Promise<void>) {
  const seen: number[] = [];
  const stop = new AbortController();
  const done = followLog(log, {
    scope: orgScope('org'),
    sessionId: 's',
    after: 0,
    onEvent: ({ seq }) => seen.push(seq),
    ready,
    onReset: () => undefined,
    onCaughtUp: () => undefined,
    onLost: () => undefined,
    signal: stop.signal,
  });
  return { seen, done, stop };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('followLog', () => {
  it('replays no faster than its reader reads', async () => {
    let let1: () => void = () => undefined;
    const { seen, done } = follow(memoryLog(3), () => new Promise((resolve) => (let1 = resolve)));
    for (const expected of [1, 2, 3]) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(seen).toHaveLength(expected);
      let1();
    }
    await done;
  });

  it('gives what came during a long replay once and in order, however much it was', async () => {
    const log = memoryLog(100);
    let added = 0;
    const { seen, done } = follow(log, async () => {
      if (added < 12_000 && seen.length % 10 === 0) {
        added += 400;
        log.append(400);
      }
    });
    await done;
    log.append(5);
    expect(seen).toEqual(upTo(100 + added + 5));
  });

  it('stops with its signal', async () => {
    const log = memoryLog(2);
    const { seen, done, stop } = follow(log, async () => undefined);
    await done;
    stop.abort();
    log.append(3);
    expect(seen).toEqual([1, 2]);
  });

  it('reads from the log what another controller wrote and nobody told of', async () => {
    const log = memoryLog(2);
    const { seen, done } = follow(log, async () => undefined);
    await done;
    log.store(3);
    log.append(2);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(seen).toEqual(upTo(7));
    log.store(4);
    log.tellTail();
    await new Promise((resolve) => setTimeout(resolve, 10));
    log.append(1);
    expect(seen).toEqual(upTo(12));
  });

  it('gives events that arrive in the wrong order, or twice, in the right one and once', async () => {
    const log = memoryLog(0);
    const { seen, done } = follow(log, async () => undefined);
    await done;
    const [first, second, third] = [log.store(2), log.store(2), log.store(2)];
    log.tell(third);
    log.tell(first);
    log.tell(second);
    log.tell(third);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(seen).toEqual(upTo(6));
  });
});
