import { performance } from 'node:perf_hooks';
import { systemClock } from '@reins/shared/util';
import { type Options } from '../options';
import { type BenchHarness } from '../support/bench-harness';
import { loopDelayP99Ms } from '../support/loop-delay';
import { atMost, type Measure, type Part } from '../support/report';
import { SessionEvents } from '../support/session-events';
import { distribution } from '../support/stats';
import { Subject } from '../support/subject';

const HARNESSES = 30;
const LEASE_MS = 6_000;
const BEAT_MS = 1_000;
/** One after the other, and no part of how often anything looks, so that the cuts fall anywhere in between. */
const APART_MS = 173;
const GOAL = 1.1;
const WHAT = `lease of ${LEASE_MS / 1000} s: last beat → turn interrupted`;

/** Harnesses whose sockets are cut, which never return and whose processes tell nobody: only the lease knows. */
export async function leaseLoss(options: Options): Promise<Part> {
  const subject = await Subject.start(options.profileDir, {
    HEARTBEAT_MS: String(BEAT_MS),
    LEASE_MS: String(LEASE_MS),
    LOST_AFTER_MS: String(LEASE_MS),
  });
  try {
    const harnesses = await subject.sessions(HARNESSES);
    const working = await Promise.all(harnesses.map((harness) => lostIn(subject, harness)));
    await subject.measure();
    const times = await Promise.all(
      working.map(async (cut, index) => {
        await systemClock.sleep(index * APART_MS);
        return cut();
      }),
    );
    const loopDelayMs = await loopDelayP99Ms(subject.controller.url);
    const ours: Measure = { what: WHAT, who: 'ours', unit: 'ms', ...distribution(times), loopDelayMs };
    return {
      measures: [ours],
      verdicts: [atMost('lease, last beat → interrupted / lease, p99', ours.p99 / LEASE_MS, GOAL, '×')],
      notes: [
        `Lease: ${HARNESSES} harnesses beat once more and are cut off within ${(HARNESSES * APART_MS) / 1000} s, LOST_AFTER_MS = LEASE_MS = ${LEASE_MS}. The session stays active for a host that may come back (phase reconnecting). Leases are looked at every 500 ms, so the ratio is nearer to 1 for a longer lease: LOST_AFTER_MS is 120 s by default.`,
      ],
    };
  } finally {
    await subject.stop();
  }
}

/** The harness works on a turn. The answer cuts it off and resolves with how long that went unnoticed. */
async function lostIn(subject: Subject, { scripted }: BenchHarness): Promise<() => Promise<number>> {
  const { sessionId } = scripted;
  const events = await SessionEvents.follow(subject.http, sessionId);
  const pulled = scripted.pull();
  const stream = await subject.http.open('POST', `/sessions/${sessionId}/stream`, { prompt: 'never ends' });
  stream.on('error', () => undefined);
  stream.resume();
  const about = scripted.about(await pulled);
  await scripted.call('turn.started', about);
  return async () => {
    const interrupted = events.seen(
      'the turn interrupted',
      ({ type, data }) => type === 'turn.completed' && data['status'] === 'interrupted',
    );
    const beaten = performance.now();
    await scripted.call('heartbeat', {
      status: 'busy',
      metrics: {},
      alive: true,
      turns: [{ ...about, progress: { lastOutputAt: null, state: 'running' } }],
      lastCommand: {},
      configVersion: scripted.configuration.configVersion,
    });
    scripted.socket.io.engine.close();
    const ms = (await interrupted) - beaten;
    events.close();
    const { status, phase } = await subject.api.get(sessionId);
    if (status !== 'active' || phase !== 'reconnecting') throw new Error(`the session is ${status}, ${phase}`);
    return ms;
  };
}
