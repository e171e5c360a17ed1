import { type PoolAssignment, PoolClaimResponse, POOL_HOLD_MS } from '@reins/shared/api/pool';
import { type Clock, systemClock } from '@reins/shared/util/clock';
import { backoffMs } from '@reins/shared/util/retry';
import { type Rng, systemRng } from '@reins/shared/util/rng';
import { EXIT } from '../lifecycle/exit-codes';
import { httpRequest, HttpRefusal } from '../link/http';
import { describeError, type Logger } from '../log/logger';
import { PoolOver } from './pool-over';

export interface PoolWait {
  baseUrl: string;
  token: string;
  /** Of this process: the one it connects as later. */
  incarnation: string;
  /** How long the controller may be out of reach. */
  patienceMs: number;
  log: Logger;
  signal: AbortSignal;
  /** Told of every answer, and of why there was none. */
  onAnswer?: (failure: string | undefined) => void;
  clock?: Clock;
  rng?: Rng;
}

const RETRY_BASE_MS = 50;
const RETRY_CAP_MS = 5_000;
/** The controller ends a question by itself; only a connection that is dead is waited for longer. */
const ANSWER_WITHIN_MS = POOL_HOLD_MS + 10_000;
const REFUSED: ReadonlySet<number> = new Set([401, 403, 404]);

/**
 * Asks until there is a session for this harness; until then it knows nothing of anybody. Rejects with PoolOver where it
 * is not to wait any more or the controller is gone for too long, and with the signal's reason.
 */
export async function awaitAssignment(wait: PoolWait): Promise<PoolAssignment> {
  const { baseUrl, token, incarnation, patienceMs, log, signal, clock = systemClock, rng = systemRng } = wait;
  let heardAt = clock.monotonic();
  let failures = 0;
  for (;;) {
    try {
      const request = { method: 'POST' as const, token, body: JSON.stringify({ incarnation }), signal };
      const answer = await httpRequest(`${baseUrl}/pool/claims`, { ...request, timeoutMs: ANSWER_WITHIN_MS });
      const { assignment } = PoolClaimResponse.parse(JSON.parse(answer.body.toString('utf8')));
      wait.onAnswer?.(undefined);
      if (assignment !== null) return assignment;
      heardAt = clock.monotonic();
      failures = 0;
    } catch (error) {
      signal.throwIfAborted();
      const refusal = error instanceof HttpRefusal ? error : undefined;
      if (refusal !== undefined && REFUSED.has(refusal.status)) {
        throw new PoolOver(EXIT.ok, `there is no session to wait for: ${refusal.message}`);
      }
      const reason = describeError(error);
      if (clock.monotonic() - heardAt > patienceMs) {
        const seconds = Math.round(patienceMs / 1000);
        throw new PoolOver(EXIT.unreachable, `the controller was not reached for ${seconds} s: ${reason}`);
      }
      wait.onAnswer?.(reason);
      const waitMs = refusal?.retryAfterMs ?? backoffMs(++failures, RETRY_BASE_MS, RETRY_CAP_MS, rng);
      log.debug('no answer while waiting for a session; asking again', { waitMs, reason });
      await clock.sleep(waitMs, signal);
    }
  }
}
