import { type EnrollBody, EnrollResponse } from '@reins/shared/api/enrollment';
import { type Clock, systemClock } from '@reins/shared/util/clock';
import { backoffMs } from '@reins/shared/util/retry';
import { type Rng, systemRng } from '@reins/shared/util/rng';
import { httpRequest, HttpRefusal } from '../link/http';
import { describeError, type Logger } from '../log/logger';
import { EnrollmentRefused } from './enrollment-refused';

export interface EnrollOptions {
  baseUrl: string;
  body: EnrollBody;
  log: Logger;
  signal: AbortSignal;
  clock?: Clock;
  rng?: Rng;
}

const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 30_000;
/** Refusals that time may heal. */
const PASSING: ReadonlySet<number> = new Set([408, 409, 429]);

/**
 * Registers, trying for as long as the controller is away. The enrollment key in the body makes every attempt the same
 * registration. Rejects with EnrollmentRefused, or with the signal's reason.
 */
export async function enroll({ baseUrl, body, log, signal, clock, rng }: EnrollOptions): Promise<EnrollResponse> {
  for (let attempt = 1; ; attempt++) {
    try {
      const request = { method: 'POST' as const, body: JSON.stringify(body), signal };
      const answer = await httpRequest(`${baseUrl}/agents/enroll`, request);
      return EnrollResponse.parse(JSON.parse(answer.body.toString('utf8')));
    } catch (error) {
      signal.throwIfAborted();
      const refusal = error instanceof HttpRefusal ? error : undefined;
      if (refusal !== undefined && refusal.status < 500 && !PASSING.has(refusal.status)) {
        throw new EnrollmentRefused(sentenceOf(refusal, baseUrl), { cause: error });
      }
      const waitMs = refusal?.retryAfterMs ?? backoffMs(attempt, RETRY_BASE_MS, RETRY_CAP_MS, rng ?? systemRng);
      log.warn('the harness could not register; trying again', { attempt, waitMs, reason: describeError(error) });
      await (clock ?? systemClock).sleep(waitMs, signal);
    }
  }
}

function sentenceOf(refusal: HttpRefusal, baseUrl: string): string {
  if (refusal.status === 401) {
    return (
      'the enrollment token is refused: it is unknown, expired, revoked or used up; ' +
      'ask an administrator for a new one and set REINS_ENROLLMENT_TOKEN'
    );
  }
  if (refusal.status === 404) return `${baseUrl} offers no self-registration; check AIWM_BASE_URL`;
  return `the controller does not register this harness (${refusal.status}): ${refusal.message}`;
}
