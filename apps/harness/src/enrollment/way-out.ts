import { type LinkEnd } from '../link/link-end';

/** Ends after which the same credentials will never do again. */
const HOPELESS: ReadonlySet<LinkEnd['reason']> = new Set(['refused', 'not_found', 'revoked']);

/**
 * What the person who runs a harness reads when it was refused. One that registered itself must not do so again unasked:
 * somebody may have ended its agent on purpose.
 */
export function withWayOut({ reason, message }: LinkEnd, credentialsFile: string | undefined): string {
  if (credentialsFile === undefined || !HOPELESS.has(reason)) return message;
  return (
    `${message}; this harness has registered itself and does not do so again unasked: ` +
    `to register it as a new agent, delete ${credentialsFile} and start it with a valid REINS_ENROLLMENT_TOKEN`
  );
}
