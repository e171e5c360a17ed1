import { httpRequest } from '../link/http';
import { type LinkEnd } from '../link/link-end';
import { describeError, type Logger } from '../log/logger';

type BadEnd = Exclude<LinkEnd['reason'], 'closed' | 'ended'>;
/** Why an agent stopped working for good. */
export type AlertEvent = `agent.${BadEnd}`;

export function alertOf(reason: BadEnd): AlertEvent {
  return `agent.${reason}`;
}

export interface Alert {
  event: AlertEvent;
  agentId: string;
  /** A sentence without secrets. */
  reason: string;
}

const TIMEOUT_MS = 5_000;

/** Posts the alert once, before the process ends. Never rejects: whoever is away hears it from the log. */
export async function sendAlert(url: string, alert: Alert, log: Logger): Promise<void> {
  // The path of such an address often is its password.
  const target = new URL(url).origin;
  try {
    const { status } = await httpRequest(url, { method: 'POST', body: JSON.stringify(alert), timeoutMs: TIMEOUT_MS });
    log.info('the alert was taken', { target, status });
  } catch (error) {
    log.warn('the alert was not taken', { target, reason: describeError(error) });
  }
}
